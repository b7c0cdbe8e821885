"""Templates: what becomes markup, and that nothing is left out silently."""

import jinja2
import pytest
from markupsafe import Markup

from autograder.engine.pages.rendering import environment, with_code


def test_values_are_escaped_once_and_markup_is_kept():
    shown = environment().from_string('<a title="{{ value }}">{{ value }}{{ made }}</a>')
    assert shown.render(value="\"<&\x1b", made=Markup("<b>")) == (
        '<a title="&#34;&lt;&amp;?">&#34;&lt;&amp;?<b></a>')


def test_what_nobody_has_set_is_an_error():
    for text in ("{{ nothing }}", "{{ value.nothing }}", "{% if nothing %}{% endif %}"):
        with pytest.raises(jinja2.UndefinedError, match="nothing"):
            environment().from_string(text).render(value=1)


def test_code_stands_between_backticks():
    assert with_code("call `f(<x>)` or `g`, not ` alone <") == (
        "call <code>f(&lt;x&gt;)</code> or <code>g</code>, not ` alone &lt;")


def test_a_folder_of_its_own_comes_before_what_all_pages_share(tmp_path):
    (tmp_path / "style.css").write_text("b { color: red }")
    (tmp_path / "page.html").write_text(
        '{% extends "base.html" %}{% block title %}a page{% endblock %}')
    made = environment(tmp_path).get_template("page.html").render()
    assert "b { color: red }" in made and "<title>a page</title>" in made
