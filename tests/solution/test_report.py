"""The given report.py: what it measures is what the grader measures; it fills, renders, reminds."""

import importlib.util
import shutil

import pytest
import torch

from autograder.assignment import report
from autograder.assignment.checks import test_reports as checks
from datasets.recipe import Recipe
from datasets.store import generate
from handout import walkthrough
from tests.grading import SOLUTION, STARTER


@pytest.fixture
def given(tmp_path, monkeypatch):
    """report.py in a folder of its own, beside the solution without values."""
    work = tmp_path / "work"
    shutil.copytree(SOLUTION, work, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("report.md", "report.py"):
        shutil.copy(STARTER / name, work)
    specification = importlib.util.spec_from_file_location("given_report", work / "report.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    return module


@pytest.mark.slow
def test_it_measures_what_the_grader_measures(given, tmp_path, capsys, monkeypatch, warm, public):
    recipe = Recipe(train=1, val=12)
    generate(recipe, tmp_path / "data")
    assert given.main(["--data", str(tmp_path / "data")]) == 0
    found = report.claims(given.REPORT.read_bytes())
    from autograder.engine.submission import Submission
    monkeypatch.setattr(checks, "IMAGES", 12)
    for check, rows in ((checks.test_numbers_of_the_detector, report.DETECTOR),
                        (checks.test_numbers_of_the_keypoint_networks, report.KEYPOINTS)):
        question = check.ask(None, {"profile": recipe.profile, "tier": "public"})
        answer = warm.about(Submission(SOLUTION, ())).ask(question, "", 1).result().value
        if rows is report.DETECTOR:
            seen = checks.detected(answer, question)
            measured = checks.detector_rows(seen.own, question.truth, seen.anchors)
        else:
            answer = {name: answer[name] for name in ("heatmap", "subpixel", "regression")} | (
                {"subpixel": answer["own_subpixel"]} if answer["own_subpixel"] is not None else {})
            measured = checks.keypoint_rows(**answer, truth=question.truth)
        wrong = {row: says for row, says in report.true_rows(
            found, rows, [measured], 12 * 5).items() if says}
        assert {row: says for row, says in wrong.items() if found[row][0].text} == {}
        assert set(wrong) <= {*report.COVERAGE_ROWS, report.ERROR_ROWS[1]}  # of later tasks
    assert "no report.pdf: there is no Chromium here" in capsys.readouterr().out


def test_weights_that_cannot_be_read_are_explained(given, tmp_path):
    with pytest.raises(FileNotFoundError, match="no.pth is missing: run train.py first"):
        given.load(torch.nn.Linear(1, 1), tmp_path / "no.pth")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "whole.pth")
    with pytest.raises(ValueError, match="whole.pth holds more than tensors: save model.state"):
        given.load(torch.nn.Linear(1, 1), tmp_path / "whole.pth")


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_weights_are_read_as_the_grader_reads_them(given, tmp_path, prefix):
    network, other = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    state = {prefix + name: value for name, value in network.state_dict().items()}
    torch.save({"model": state}, tmp_path / "a.pth")
    for load in (given.load, walkthrough.trained):
        assert load(other, tmp_path / "a.pth").weight == network.weight
        torch.nn.init.zeros_(other.weight)


def test_each_part_is_written_at_once_and_what_is_kept_is_said(given, capsys, monkeypatch):
    def parts(data):
        yield ["mAP@0.5", "AP circle"], lambda: [0.5, 0.25]
        yield ["AP square"], lambda: [float("circle | 0.2500" in given.REPORT.read_text("utf-8"))]
        yield ["AP triangle"], lambda: [1 / 0]

    monkeypatch.setattr(given, "measure_detector", parts)
    monkeypatch.setattr(given, "measure_keypoints", lambda data: iter(()))
    for options, says in (([], "3 values are new"), ([], "3 values stood there"),
                          (["--overwrite"], "3 values are new")):
        assert given.main(options) == 0
        printed = capsys.readouterr().out
        assert says in printed and "problem1: AP triangle: ZeroDivisionError" in printed
        assert ("problem1: measuring mAP@0.5, AP circle\n" in printed) == ("are new" in says)
        assert "| AP square | 1.0000 |" in given.REPORT.read_text("utf-8")
        assert ("--overwrite replaces them" in printed) == ("stood" in says)


def test_values_that_stand_there_stay(given):
    text = "| mAP@0.5 | 0.5 | mean |\n| AP circle |  | |\n| AP square ||\nother | line"
    values = {"mAP@0.5": "0.9", "AP circle": "0.8", "AP square": "0.7"}
    assert given.fill(text, values, overwrite=False) == (
        "| mAP@0.5 | 0.5 | mean |\n| AP circle | 0.8 | |\n| AP square | 0.7 |\nother | line")
    assert "| mAP@0.5 | 0.9 | mean |" in given.fill(text, values, overwrite=True)


def test_code_that_is_not_written_is_said_and_leaves_its_rows(given, capsys):
    for problem in ("problem1", "problem2"):
        shutil.copytree(STARTER / problem, given.HERE / problem, dirs_exist_ok=True)
    before = given.REPORT.read_text(encoding="utf-8")
    assert given.main([]) == 0
    assert given.REPORT.read_text(encoding="utf-8") == before
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("problem1: nothing can be measured: NotImplementedError: Task 1.")
               for line in lines)
    assert {"Q1 has no answer", "Q8 has no answer"} <= set(lines)
    rows, = (line.split(", ") for line in lines if line.startswith("no value: mAP@0.5, "))
    assert len(rows) == 26


def test_a_report_that_cannot_be_read_is_said(given, capsys):
    given.REPORT.write_bytes(b"\xff\xfe")
    assert given.main([]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_what_is_missing(given):
    text = ("| a | **97,5 %** |\n| b | |\n| c | about 0.9 |\n### Q1\n\n> Why?\n\n"
            "### Q2\n\n> Why?\n\nBecause.\n\n## More\n\n![x](no.png)\n![y](report.py)\n")
    assert list(given.missing(text)) == [
        "no value: b", "c: 'about 0.9' is no number", "Q1 has no answer",
        "the picture no.png is not there"]


def test_the_page(given):
    page = given.as_page(
        "# A & B\ntext *it* **bo** `x<y`\n\n| a | b |\n|---|---|\n| 1 | ![p](p.png) |\n\n"
        "> quote\n> on\n\n- one\n- two\n\n```\n<b>\n```\n\n[l](u)")
    for part in ("<h1>A &amp; B</h1>", "<p>text <i>it</i> <b>bo</b> <code>x&lt;y</code></p>",
                 "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td><img alt=\"p\" "
                 "src=\"p.png\"></td></tr></table>", "<blockquote> quote\n on</blockquote>",
                 "<ul><li>one</li>\n<li>two</li></ul>", "<pre>&lt;b&gt;</pre>",
                 '<a href="u">l</a>'):
        assert part in page
