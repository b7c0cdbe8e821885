"""A correction in mid-term; what runs for minutes is replaced, its commands are looked at."""

import json
import shutil
from dataclasses import replace

import pytest

from autograder import KIT
from autograder.instructor import correction
from autograder.instructor.classroom.entry import Entry
from autograder.instructor.correction import NotCorrected, correct
from autograder.instructor.new_term.facts import facts
from autograder.instructor.packaging import release

SEED = facts(KIT)["seed"]
VERSION = {"checks": "a", "references": "b", "tiers": "public hidden", "only": "functional 1.3"}


def entry(student: str, *scores: float) -> Entry:
    checks = {f"1.3.{number}": {"verdict": "passed", "score": score, "points": 1.0, "message": ""}
              for number, score in enumerate(scores, 1)}
    return Entry(student, source=student, version=VERSION, score=sum(scores), checks=checks)


@pytest.fixture
def corrected(tmp_path, monkeypatch):
    """`corrected(new, lower)`: a correction that gives these entries; the commands that it ran."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/term.py").write_text((KIT / "datasets/term.py").read_text())
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changes\n\n## [Unreleased]\n\n- x\n\n## [1.0.0]\n\n- y\n")
    term = tmp_path / "build" / f"term-{SEED}"
    term.mkdir(parents=True)
    (term / "state.json").write_text(json.dumps({"settings": {
        "seed": SEED, "hidden_seed": 99, "leaderboard": True, "torch_index": "cpu"}}))
    for one in (entry("ann", 1, 0), entry("bob", 1, 1)):
        one.save(tmp_path / "grades/students" / one.student)
    built = []
    monkeypatch.setattr(correction.upload, "build", lambda *given: built.append(given))
    monkeypatch.setattr(correction.release, "build", lambda out: built.append(
        release.corrections(tmp_path)))

    def run(new, lower=False, status="passed", note="1.3.2 takes lists."):
        ran = []

        def command(arguments):
            ran.append(" ".join(arguments))
            if arguments[0] == "grade":
                test = {"number": "1.3.1", "status": status, "score": 1, "max_score": 1}
                (term / "correction-1/solution.json").write_text(json.dumps({"tests": [test]}))
            for one in new if arguments[0] == "classroom" else ():
                one.save(term / "correction-1/grades/students" / one.student)
            return 0

        said = correct(SEED, note, tmp_path / "class", tmp_path / "grades", lower,
                       command, tmp_path)
        return ran, said, built

    return run


def test_a_correction_has_a_version_and_an_entry_for_students(corrected, tmp_path):
    ran, said, (package, told) = corrected([entry("ann", 1, 1), entry("bob", 1, 1)])
    out = tmp_path / "build" / f"term-{SEED}" / "correction-1"
    assert ran == ["references", f"grade solution --json {out}/solution.json",
                   "references --tier hidden --seed 99",
                   f"classroom {tmp_path}/class --out {out}/grades --compare {tmp_path}/grades "
                   "--tier all --functional --only 1.3"]
    assert package == (out / "autograder.zip", 99, True, "cpu")
    (version, when, says), = told
    assert (version, says) == (f"{SEED}.1", "- Changed: 1.3.2 takes lists.\n\n") and len(when) == 10
    text = (tmp_path / "CHANGELOG.md").read_text()
    assert text.index("[Unreleased]") < text.index(f"[{SEED}.1]") < text.index("[1.0.0]")
    assert f"version {SEED}.1" in said


def test_a_score_does_not_become_lower_in_silence(corrected, tmp_path):
    before = (tmp_path / "CHANGELOG.md").read_text()
    worse = [entry("ann", 1, 0), entry("bob", 0, 1)]
    with pytest.raises(NotCorrected, match="1 scores would become lower: bob"):
        corrected(worse)
    assert (tmp_path / "CHANGELOG.md").read_text() == before
    assert not list(tmp_path.glob("build/*/*/*.zip"))
    corrected(worse, lower=True)


def test_other_work_may_have_fewer_points(corrected):
    assert corrected([entry("ann", 1, 0), replace(entry("bob", 0, 0), source="another")])[1]


def test_what_stops_a_correction(corrected, tmp_path, monkeypatch):
    with pytest.raises(NotCorrected, match="the solution loses points in check 1.3.1"):
        corrected([], status="failed")
    before = (tmp_path / "CHANGELOG.md").read_text()

    def full(out):
        raise OSError("no space left")

    monkeypatch.setattr(correction.release, "build", full)
    with pytest.raises(OSError, match="no space left"):
        corrected([entry("ann", 1, 1)])
    assert (tmp_path / "CHANGELOG.md").read_text() == before
    (tmp_path / "build" / f"term-{SEED}" / "state.json").unlink()
    with pytest.raises(NotCorrected, match="correct it where the term was made"):
        corrected([])
    with pytest.raises(NotCorrected, match="the note is empty"):
        corrected([], note="")
    shutil.rmtree(tmp_path / "grades")
    with pytest.raises(ValueError, match="there are no grades in"):
        corrected([])


def test_students_read_the_corrections_of_their_term(monkeypatch, tmp_path):
    text = f"## [{SEED}.2] - 2027-02-11\n\n### For students\n\n- Two.\n\n## [1.7] - 2020-01-01\n"
    (tmp_path / "CHANGELOG.md").write_text(text)
    assert release.corrections(tmp_path) == [(f"{SEED}.2", "2027-02-11", "- Two.\n\n")]
    assert release.files()["CHANGELOG.md"] == b"# Changes since the first version\n\nNone.\n"
