"""What stands on the page: every rule, check, stub and number, and nothing of the solution."""

import ast
import doctest
import html as markup
import re
import sys
import tempfile
from pathlib import Path

import matplotlib
import pytest
from markdown_it import MarkdownIt

from autograder.assignment import ASSIGNMENT
from autograder.instructor.starter import region_lines
from handout import chromium, drawing, facts, figures, page, problems
from handout.__main__ import main
from handout.problems import KIT

CHECKS = ASSIGNMENT.checks


@pytest.fixture(scope="module")
def text(html):
    """What a reader sees: no tags, no style, one space between words."""
    body = html.split("</style>")[1]
    return " ".join(markup.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def section(html: str, task: str) -> str:
    """The part of the page under a task's heading."""
    return re.split(r"<h[23] ", html.split(f'id="task-{task}"')[1])[0]


def test_every_rule_stands_once_under_a_task_that_checks_it(html):
    for identifier in ASSIGNMENT.rules:
        tasks = {check.task_number for check in CHECKS if check.rule == identifier}
        places = [task for task in ASSIGNMENT.tasks if f'id="{identifier}"' in section(html, task)]
        assert html.count(f'id="{identifier}"') == len(places) == 1, identifier
        assert set(places) <= tasks, identifier


def test_rules_are_the_sentences_of_rules_md(text):
    def words(sentence):
        return re.sub(r"[`*\s]", "", sentence)

    plain = words(text)
    for identifier, sentence in ASSIGNMENT.rules.items():
        assert words(identifier + sentence) in plain, identifier


def test_every_link_has_its_target_and_leads_nowhere_else(html):
    targets = re.findall(r'\bid="([^"]+)"', html)
    assert len(targets) == len(set(targets))
    links = re.findall(r'href="([^"]*)"', html.split('id="sources"')[0])
    assert links
    assert {link for link in links if link.removeprefix("#") not in targets} == set()


def test_rule_ids_in_the_texts_exist():
    known = ASSIGNMENT.rules
    for path in page.TEXTS:
        for identifier in re.findall(r"`(P[12]\.[\w.\-]+)`", path.read_text(encoding="utf-8")):
            assert identifier in known, (path.name, identifier)


def test_points_dependencies_and_checks_are_those_of_the_grader(html, text):
    for task in ASSIGNMENT.tasks.values():
        points = sum(check.points for check in CHECKS if check.task is task)
        assert f"Task {task.number} {task.title} ({points:g} point" in text
        assert task.files[0] in section(html, task.number)
        for need in task.needs:
            assert f'href="#task-{need}"' in section(html, task.number), (task.number, need)
    for check in CHECKS:
        begin = f"{check.number} {check.points:g} "
        words = text[text.index(f" {begin}"):].split()[:6]
        assert words == (begin + check.sentence.replace("`", " ")).split()[:6], check.number


def test_interfaces_are_those_of_the_starter(text):
    """Each public function of the starter is named, each class as well."""
    for path in sorted((KIT / "starter").glob("problem*/*.py")):
        if path.name == "runtime.py":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                assert re.search(rf"\b{node.name}\b", text), (path.name, node.name)


def test_nothing_of_the_solution_leaks(text):
    for path in (KIT / "solution").glob("problem*/*.py"):
        given = (KIT / "starter" / path.relative_to(KIT / "solution")).read_text(encoding="utf-8")
        secret = {line for line in region_lines(path.read_text(encoding="utf-8"))
                  if line not in given and not line.endswith("(")}
        assert [line for line in secret if " ".join(line.split()) in text] == [], path.name


def test_it_needs_no_other_file_and_no_network(html):
    sources = re.findall(r'\bsrc="([^"]{,40})', html)
    assert len(sources) == len(figures.FIGURES)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    own = html.split('id="sources"')[0]  # what follows names papers
    assert not re.search(r"<script|<link|@import|url\(|https?://(?!www\.w3\.org)", own)


def test_every_figure_is_shown_and_says_in_words_what_it_shows(html):
    for name, draw in figures.FIGURES.items():
        assert f'<figure id="figure-{name}">' in html
        assert len(draw.__doc__.split()) > 10
    assert all(len(alt) > 60 for alt in re.findall(r'<img [^>]*alt="([^"]*)"', html))


def test_figures_are_drawn_alike_every_time():
    claim = figures.FIGURES["claim"]
    assert drawing.encoded(claim) == drawing.encoded(claim)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_no_line_runs_through_words(name):
    with matplotlib.rc_context(drawing.STYLE):
        figure = figures.FIGURES[name]()
        figure.draw_without_rendering()
        for axes in figure.axes:
            words = [text for text in axes.texts if text.get_bbox_patch() is None]
            drawn = [line for line in axes.lines if line.get_linestyle() != "None"]
            drawn += [patch for patch in axes.patches if not patch.get_fill()]
            for text in [*words, *filter(None, [axes.get_legend()])]:
                place = text.get_window_extent().padded(-2)  # a corner may touch
                assert not [each for each in drawn if each.get_transform().transform_path(
                    each.get_path()).intersects_bbox(place, filled=False)], text


def test_formulas_are_mathml(html, text):
    assert html.count("<math") > 30
    assert "$" not in text.replace("$CHROMIUM", "")
    assert not re.search(r"\\(frac|sum|ln|left|right|lvert|qquad|text|hat)\b", text)


def test_the_failed_check_is_a_real_one(html):
    example = markup.unescape(re.search(r"<pre>(LOST.*?)</pre>", html, re.S)[1])
    assert "P1.iou.empty-union" in example and "is nan" in example
    assert all(len(line) <= 88 for line in example.splitlines())


def test_numbers_of_the_trained_networks_come_from_their_metrics(text):
    pck = facts.keypoints()["heatmap"]["pck"]
    assert "HeatmapNet " + " ".join(f"{value:.3f}" for value in pck.values()) in text
    assert str(facts.detector()["true_positives_by_map_and_class"]) in text
    for number, reference in facts.references.load(ASSIGNMENT, "public").by_number.items():
        if ".accuracy." not in ASSIGNMENT.by_number[number].rule:
            continue
        expected = reference.expected
        assert f"{expected['floor']:.2f} {expected['target']:.2f}" in text


def test_the_plain_backbone_earns_a_part_of_the_points_as_the_text_says():
    limits = facts.references.load(ASSIGNMENT, "public").by_number["1.14.1"].expected
    assert limits["floor"] + 0.1 < facts.plain_detector()["map"] < limits["target"] - 0.1


def examples() -> list[tuple[str, str]]:
    """Every Python session of the texts: `(problem, source)`."""
    found = []
    for path in page.TEXTS:
        for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
            if token.type == "fence" and token.info == "pycon":
                found.append((f"problem{path.stem[-1]}", token.content))
    return found


def test_worked_examples_come_out_as_they_stand(tmp_path, monkeypatch):
    """Pasted alone into a fresh Python: each imports what it uses, from the problem's folder, where
    it leaves nothing that would be handed in."""
    sessions = examples()
    sessions += [("problem1", docstring) for docstring in docstrings(KIT / "starter" / "problem1")]
    sessions += [("problem2", docstring) for docstring in docstrings(KIT / "starter" / "problem2")]
    assert len(sessions) >= 22
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runner = doctest.DocTestRunner(verbose=False)
    for index, (problem, source) in enumerate(sessions):
        with monkeypatch.context() as patch:
            for name, module in vars(problems.solution(int(problem[-1]))).items():
                patch.setitem(sys.modules, name, module)
            test = doctest.DocTestParser().get_doctest(source, {}, f"example {index}", problem, 0)
            assert test.examples
            runner.run(test)
    assert runner.failures == 0 and not any(Path.cwd().iterdir())


def docstrings(folder: Path) -> list[str]:
    """Those with an example in them."""
    nodes = (node for path in sorted(folder.glob("*.py"))
             for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
             if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)))
    return [text for text in map(ast.get_docstring, nodes) if text and ">>>" in text]


def test_lines_of_code_fit_a_page():
    for path in page.TEXTS:
        for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
            if token.type == "fence":
                assert max(map(len, token.content.splitlines())) <= 88, (path.name, token.content)


def test_without_chromium_there_is_a_page_and_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(page, "build", lambda: "<p>short</p>")
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    assert main(["build", "--out", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["handout.html"]
    assert capsys.readouterr().out.splitlines()[-1] == f"no PDF: {chromium.MISSING}"


def test_the_pages_of_the_kit_are_built_into_a_folder_that_git_ignores():
    assert "/build/" in (KIT / ".gitignore").read_text().splitlines()
