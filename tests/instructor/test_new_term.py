"""A new term, step by step, in a copy of the kit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import KIT
from autograder.__main__ import main
from autograder.assignment import ASSIGNMENT
from autograder.engine.references import load_stored, save
from autograder.instructor.held import held
from autograder.instructor.new_term.facts import facts
from autograder.instructor.new_term.kit_copy import adopt, digest_of, files
from autograder.instructor.new_term.make import begin, make, term_page, verdict
from autograder.instructor.new_term.steps import STEPS, lost
from autograder.instructor.new_term.term import Failed, Step, Term

pytestmark = pytest.mark.platform
FORMER = facts(KIT)["seed"]
SEED = FORMER + 1
STARTER, MARGINS = (step for step in STEPS if step.name in ("starter", "margins"))


def _kept_references(made: Term) -> str:
    """Those of the kit: making new ones takes minutes."""
    folder = "autograder/assignment/references"
    shutil.copytree(KIT / folder, made.kit / folder, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("hidden.*"))
    return "kept"


QUICK = (STARTER, Step("references", "keep the references", _kept_references), MARGINS)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The kit as an instructor has it, without its tests."""
    folder = tmp_path_factory.mktemp("original")
    for path in files(KIT):
        if not path.startswith("tests/"):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(KIT / path, target)
    return folder


@pytest.fixture
def checkout(original, tmp_path):
    """A checkout that a test may change."""
    return Path(shutil.copytree(original, tmp_path / "checkout"))


def started(checkout, keep_weights=True, **options):
    chosen = {"seed": SEED, "hidden_seed": None, "proof": "full", **options}
    return begin(checkout, checkout.parent / "term", keep_weights=keep_weights, **chosen)


def test_steps_run_once_and_again_after_a_change(checkout, capfd):
    made = started(checkout)
    assert make(made, QUICK)
    printed = capfd.readouterr().out
    assert "[1/3] starter: compare starter and solution" in printed
    assert "Safe to release: every step has passed." in printed

    again = started(checkout)
    assert again.settings == made.settings, "the hidden seed is kept"
    started(checkout, hidden_seed=12345)
    assert "the hidden seed 12345 is short" in capfd.readouterr().err
    assert started(checkout).settings.hidden_seed > 2**40
    assert not capfd.readouterr().err
    again = started(checkout, hidden_seed=made.settings.hidden_seed)
    assert make(again, QUICK)
    assert capfd.readouterr().out.count("done before") == len(QUICK)

    with (checkout / "handout/rules.md").open("a") as rules:
        rules.write("\n")
    assert make(started(checkout), QUICK)
    assert "[3/3] margins: look at floors and targets" in capfd.readouterr().out


def test_a_step_that_fails_ends_the_term_and_spares_the_checkout(checkout, capfd):
    (checkout / "starter/problem1/utils.py").write_text("")
    made = started(checkout)
    assert not make(made, QUICK)
    assert "starter/ has drifted" in capfd.readouterr().out
    page = (made.out / "term.md").read_text()
    assert ("**NOT SAFE to release: starter failed: python -m autograder starter --check ended "
            "with 1**") in page
    assert "| margins | look at floors and targets | not run | |" in page
    assert facts(checkout)["seed"] == FORMER

    shutil.copy(KIT / "starter/problem1/utils.py", checkout / "starter/problem1/utils.py")
    assert make(started(checkout), (STARTER,))


def test_the_checkout_takes_over_what_was_made(checkout, capsys):
    made = started(checkout, hidden_seed=99)
    assert "warning: the hidden seed 99 is short" in capsys.readouterr().err
    assert make(made, (STARTER,))
    state = json.loads((made.out / "state.json").read_text())
    assert (state["settings"]["seed"], state["former"]["seed"]) == (SEED, FORMER)
    assert [(name, step["status"]) for name, step in state["steps"].items()] == [
        ("starter", "passed")]
    assert adopt(made) == ["datasets/term.py"]
    assert facts(checkout)["seed"] == SEED
    text = (KIT / "datasets/term.py").read_text().replace(str(FORMER), str(SEED))
    assert (checkout / "datasets/term.py").read_text() == text
    page = term_page(made, (STARTER,))
    assert f"| seed | {FORMER} | {SEED} |" in page
    assert "| hidden seed | | 99 (keep it to yourself) |" in page
    assert adopt(made) == []


def test_a_changed_setting_redoes_the_steps_that_depend_on_it(checkout):
    once = started(checkout, keep_weights=False)
    again = started(checkout, keep_weights=False, torch_index="https://example.org", proof="none")
    assert [step.name for step in STEPS if digest_of(once, step) != digest_of(again, step)] == [
        "proof", "package", "rehearsal"]


def test_weights_are_copied_only_when_they_are_kept(checkout):
    assert (started(checkout).kit / "solution/problem1/results/best_model.pth").is_file()
    shutil.rmtree(checkout.parent / "term")
    fresh = started(checkout, keep_weights=False)
    assert not (fresh.kit / "solution/problem1/results").exists()
    assert (fresh.kit / "solution/problem1/train.py").is_file()


def test_what_was_skipped_is_said(checkout):
    made = started(checkout, proof="none")
    steps = tuple(step for step in STEPS if step.name in ("starter", "proof"))
    assert make(made, steps)
    assert verdict(made, steps) == (
        "Every step that ran has passed, but without proof (--proof none).")


def test_a_target_close_to_the_floor_is_not_safe(checkout):
    made = started(checkout)
    references = made.kit / "autograder/assignment/references"
    references.mkdir()
    for suffix in ("json", "npz"):
        shutil.copy(KIT / f"autograder/assignment/references/public.{suffix}", references)
    assert MARGINS.run(made) == "targets leave room above the floors and below the reference"

    old = facts(checkout)["thresholds"]["public"]["2.11.2"]
    stored = load_stored("public", references)
    weak = {"reference": (old["floor"] + 0.021) / ASSIGNMENT.points.accuracy["2.11.2"].target}
    stored.by_number["2.11.2"] = replace(
        stored.by_number["2.11.2"], expected=stored.by_number["2.11.2"].expected | weak)
    save(stored, references)
    with pytest.raises(Failed, match=r"PCK@0.20 of RegressionNet, public: target above floor by "
                                     r"0.02 only; .* Take another seed"):
        MARGINS.run(made)
    page = term_page(made, QUICK)
    assert (f"| {old['floor']:.2f} | {old['floor'] + 0.02:.2f} | {weak['reference']:.4f} |"
            in page), "floors and targets follow from points.toml, whatever is stored"


def test_two_runs_on_one_term_exclude_each_other(checkout, tmp_path, capsys):
    out = tmp_path / "term"
    with held(out):
        assert main(["new-term", "--seed", "7", "--out", str(out)]) == 2
    assert f"another run writes to {out}" in capsys.readouterr().err


def test_extra_points_are_no_loss():
    def row(status: str, score: float, most: float) -> dict:
        return {"number": f"{status} {score:g} / {most:g}", "status": status, "score": score,
                "max_score": most}

    rows = [row("passed", 1, 1), row("passed", 0.5, 0), row("passed", 0.5, 1), row("failed", 0, 0)]
    assert lost(rows) == ["passed 0.5 / 1", "failed 0 / 0"]


def test_the_command_needs_a_seed(capsys):
    with pytest.raises(SystemExit):
        main(["new-term"])
    assert "--seed" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["new-term", "--seed", "-3"])
    assert "must be a whole number from 0, got -3" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["new-term", "--seed", "3", "--torch-index", "cpu"])
    assert "must be the URL of a package index, got cpu" in capsys.readouterr().err
