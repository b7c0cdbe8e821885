"""Digests: of files whatever their line ends, of code whatever its comments and layout."""

import pytest

from autograder.engine.digests import code_of, digest


def test_a_digest_is_of_names_and_contents_and_not_of_line_ends():
    files = {"a.py": b"x = 1\n", "b.py": b""}
    same = digest({"b.py": b"", "a.py": b"x = 1\r\n"})
    assert digest(files) == same and len(same) == 12
    others = [{"a.py": b"x = 2\n", "b.py": b""}, {"a.py": b"x = 1\n"},
              {"c.py": b"x = 1\n", "b.py": b""}]
    assert len({same, *map(digest, others)}) == 4


CODE = '''\
"""What this module is about."""
import math


def f(x, y=(1, 2)):
    """What f does."""
    return [math.floor(x), "text"]  # a comment
'''


@pytest.mark.parametrize(("old", "new"), [
    ("  # a comment", ""),
    ("What f does.", "What f does,\n    said in other words."),
    ('    """What f does."""\n', ""),
    ("is about.", "is not about."),
    ("\n\n\ndef", "\n\ndef"),
    ('[math.floor(x), "text"]', '[\n        math.floor(x),\n        "text"]'),
    ("(x, y=(1, 2))", "(x,y=(1,2))"),
])
def test_comments_docstrings_and_layout_are_no_code(old, new):
    assert CODE.count(old) == 1
    assert code_of(CODE.replace(old, new).encode()) == code_of(CODE.encode())


@pytest.mark.parametrize(("old", "new"), [
    ("floor", "ceil"), ("y=(1, 2)", "y=(1, 3)"), ('"text"', '"other"'), ('"text"', '"te xt"'),
    ("    return", "    x += 1\n    return"), ("    return", "    if x:\n        return"),
])
def test_what_changes_the_result_is_code(old, new):
    assert CODE.count(old) == 1
    assert code_of(CODE.replace(old, new).encode()) != code_of(CODE.encode())


def test_a_body_of_other_depth_is_other_code():
    inside, after = (b"for i in x:\n    a()\n    b()\n", b"for i in x:\n    a()\nb()\n")
    assert code_of(inside) != code_of(after)
