"""Attacks on the upload: the packaged archive, run as the platform runs it, on both tiers.

`tests/hostile` carries all of them out on the kit itself; here is one of each kind.
"""

import os
import shutil
import sys

import pytest

from autograder import KIT
from autograder.engine.results import GRADER_BROKE, NOT_RUN
from tests.grading import sampled
from tests.hostile.attacks import IN_CODE, IN_FILES
from tests.hostile.conftest import stolen, token
from tests.hostile.submissions import NEIGHBOUR, TARGETS, Attack, build

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="the platform grades as root, on Linux")]

# The first of each kind that does not run into a deadline, and needs no services to talk to.
OF_EACH_KIND = list({attack.row: attack for attack in reversed(IN_CODE + IN_FILES)
                     if not attack.slow and attack.row != 11}.values())


@pytest.fixture
def graded(platform, public, monkeypatch):
    """`graded(attack)`: what the platform gets of it, with a secret beside the archive."""
    known = {}
    for number in TARGETS:
        reference = public.by_number[number]
        total = sum(args.astype("float64").sum() for args in reference.question.inputs["args"])
        known[round(float(total), 2)] = reference.expected.tolist()
    secret = platform.source / "secrets"
    secret.mkdir()
    (secret / "hidden.json").write_text(token())
    (secret / "hidden.json").chmod(0o600)
    constants = {"GRADER": 0, "BYSTANDER": os.getpid(), "MARK": "hostile-packaged", "PORT": 9,
                 "SERVICE": str(secret / "service"), "KIT": str(KIT), "SECRETS": str(secret),
                 "HOME": str(secret), "RESULTS": str(platform.root / "results/results.json"),
                 "PUBLIC": known}
    monkeypatch.setenv("HOSTILE_SECRET", token())

    def grade(attack: Attack) -> tuple[dict, str]:
        shutil.rmtree(platform.root / "submission", ignore_errors=True)
        build(attack, platform.root / "submission", constants)
        return platform.run()

    return grade


TWINS: dict[bool, dict] = {}  # without an attack, and with right answers or without


@pytest.mark.parametrize("attack", sampled(OF_EACH_KIND, 24),
                         ids=lambda attack: f"{attack.row} {attack.name}")
@pytest.mark.proof
def test_an_attack_gains_nothing_through_the_archive(attack, graded):
    if attack.honest not in TWINS:
        TWINS[attack.honest], _ = graded(Attack("twin", 0, "", honest=attack.honest))
    twin = TWINS[attack.honest]
    results, log = graded(attack)
    honest, found = ({test["number"]: test for test in content["tests"]}
                     for content in (twin, results))
    assert found.keys() == honest.keys() and results["score"] <= twin["score"]
    assert found[NEIGHBOUR]["score"] == honest[NEIGHBOUR]["score"] > 0
    for number, test in found.items():
        assert test["score"] <= honest[number]["score"], test
        assert test["extra_data"]["verdict"] not in (GRADER_BROKE, NOT_RUN), test
    if attack.unchanged:
        assert results["score"] == twin["score"]
    assert stolen(str(results) + log) == []
