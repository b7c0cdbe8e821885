"""Digests of code, and whether the stored references are of the code beside them."""

from autograder.engine import digests as version


def test_the_stored_references_are_of_this_code(public):
    made = public.made.get("code")
    assert made == version.asking(), (
        "autograder/checks or autograder/worker/probes have changed since the references were "
        "made: run `make references`")


def test_a_digest_is_of_names_and_contents_and_not_of_line_ends():
    files = {"a.py": b"x = 1\n", "b.py": b""}
    same = version.digest({"b.py": b"", "a.py": b"x = 1\r\n"})
    assert version.digest(files) == same and len(same) == 12
    others = [{"a.py": b"x = 2\n", "b.py": b""}, {"a.py": b"x = 1\n"},
              {"c.py": b"x = 1\n", "b.py": b""}]
    assert len({same, *map(version.digest, others)}) == 4


def test_new_references_say_what_they_were_made_with(hidden_for):
    made = hidden_for(["1.3.1"]).made
    assert made["code"] == version.asking()
