"""Name the mistake: compare wrong answers with what known mistakes answer to the same questions.

A bank of mistakes is data beside the references (`mistakes.json`, `mistakes.npz`): title,
explanation and rule of each, and its answers to the public questions of its task. Real code makes
several at once: a mistake is named where its answer is the one that came, if all checks fail that
it would make fail. Where no single one does, two are named whose answer together came, which the
bank has under `"one + other"`. Of several that answer alike, one is meant that other checks show.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .assignment import load
from .check import order
from .compare import Wrong
from .judging import Outcome, agrees, what_went_wrong
from .messages import LIKE, NOT_IMPORTED, NOT_WRITTEN, show
from .references import Reference, load_tree, save_tree
from .results import common
from .sandbox import wire
from .sandbox.channel import Answer

FILE = "mistakes"
BOTH = " + "  # between the names of two mistakes at once
MOST = 3  # mistakes that are named where the answer is that of several


@dataclass(frozen=True)
class Known:
    """What is told about a mistake.

    Args:
        name: unique, for example "anchors-scale-major".
        title: what the code does, to follow "your code".
        explanation: two sentences for a student: why it is wrong, and what to look at.
        rule: id of the rule that it breaks.
        task: the task that it costs.
    """

    name: str
    title: str
    explanation: str
    rule: str
    task: str


@dataclass(frozen=True)
class Diagnosis:
    """The known mistakes that answer like a submission, and what is told about them.

    Args:
        names: the only one, or those of which it may be any; `"one + other"` are two at once.
        sure: whether no other check speaks against it.
    """

    names: tuple[str, ...]
    sentence: str
    sure: bool


@dataclass(frozen=True)
class Bank:
    """Known mistakes, and their wrong answers by check number and mistake.

    `digests` tells of every mistake, named here or not, what it did when it was asked. An answer
    is `{"value": ...}`, or `{"error": type and message}` where the mistake raises; questions
    that a mistake answers rightly are not in.
    """

    known: dict[str, Known]
    answers: dict[str, dict[str, dict[str, Any]]]
    digests: dict[str, str]

    def title(self, name: str) -> str:
        """What the code does, to follow "your code"; `name` may be that of two at once."""
        return " and also ".join(self.known[part].title for part in name.split(BOTH))


def as_stored(answer: Answer) -> dict[str, Any] | None:
    """An answer as the bank keeps it; None where there is nothing to compare with."""
    if answer.status == "ok":
        return {"value": answer.value}
    if answer.status == "error":
        return {"error": what_went_wrong(answer)}
    return None


def save_bank(bank: Bank, folder: Path) -> list[Path]:
    """Write both files."""
    made = {"known": [asdict(known) for known in bank.known.values()], "digests": bank.digests}
    return save_tree(FILE, made, bank.answers, folder)


def load_bank(folder: Path) -> Bank | None:
    """Read the bank; None where there is none, since grading works without."""
    try:
        made, answers = load_tree(FILE, folder)
        known = {entry["name"]: Known(**entry) for entry in made["known"]}
    except (OSError, ValueError, KeyError, TypeError, wire.WireError, json.JSONDecodeError):
        return None
    return Bank(known, answers, made.get("digests", {}))


def agreements(task: Mapping[str, Outcome], bank: Bank,
               agreeing: Callable[[Outcome, dict[str, dict[str, Any]]], set[str]],
               ) -> dict[str, set[str]]:
    """Number of each failed check -> mistakes that answer it like the submission, by `agreeing`
    (see `judging.Judge.agreeing`)."""
    return {n: agreeing(o, bank.answers.get(n, {})) for n, o in task.items() if not o.passed}


def diagnose(task: Mapping[str, Outcome], bank: Bank, agree: Mapping[str, set[str]],
             ) -> dict[str, Diagnosis]:
    """Which mistakes account for failed checks of a task, by check number; `agree` as `agreements`
    has it."""
    wrong = [n for n in agree if isinstance(task[n].error, Wrong) and n in bank.answers]
    found = {number: possible(number, task, bank, agree) for number in wrong}
    sure = {names[0] for names in found.values() if len(names) == 1}
    sure = {part for name in sure for part in name.split(BOTH)}
    for number in wrong:
        found[number] = found[number] or [
            name for name in _candidates(number, task, bank, agree)
            if {*name.split(BOTH)} <= sure]
    in_part: set[str] = set()  # checks of which one mistake is sure, and another one is not known
    for number, names in found.items():
        # Of several, what shows elsewhere; and what all have in common.
        names = [name for name in names if sure.intersection(name.split(BOTH))] or names
        common = set.intersection(*(set(name.split(BOTH)) for name in names)) if names else set()
        if len(names) > 1 and common or len(names) > MOST:
            names = sorted(common)
            in_part.add(number)
        found[number] = names
    clear = {number: {*names[0].split(BOTH)} for number, names in found.items()
                  if len(names) == 1}
    for number, names in found.items():
        # What another one changes as well may be an answer to both.
        beside = {part for parts in clear.values() for part in parts}
        if names and sum(not (beside - {*names[0].split(BOTH)}) & bank.answers[n].keys()
                         for n in _against(names[0], bank, agree)) > sum(
                names[0] in alike for alike in agree.values()):
            found[number] = []  # it is like this one by chance
    rest = _unexplained(task, bank, agree, found)
    odd, plain = (Counter(task[number].reference.question.asked for number in some)
                  for some in (rest, [number for number in found if found[number]]))
    told: dict[str, Diagnosis] = {}
    said: dict[str, str] = {}  # name -> the check that explains it; the others point there
    for number, names in found.items():
        if names:
            sentence = _tell(number, names, bank, said)
            also = " That is not all that is wrong here." * (number in in_part)
            doubt = _against(names[0], bank, agree)
            if doubt:
                others = " and ".join(sorted(doubt, key=order)[:2])
                also += (f" But {others} would then be answered otherwise: something else may be "
                         "the cause.")
            # What makes most checks of a function fail may make this one fail as well.
            asked = task[number].reference.question.asked
            unsure = odd[asked] > plain[asked]
            if rest:
                also += (f" This does not explain {', '.join(sorted(rest, key=order))}"
                         f"{': something else may be the cause of all' * (unsure and not doubt)}.")
                rest = []  # said once
            told[number] = Diagnosis(tuple(names), sentence + also, not doubt and not unsure)
    return told


def _unexplained(task: Mapping[str, Outcome], bank: Bank, agree: Mapping[str, set[str]],
                 found: Mapping[str, list[str]]) -> list[str]:
    """Failed checks that have another reason than the mistakes that are `found`: not one that these
    make fail as well, in whatever form, or that fails like one of theirs or for an earlier task."""
    named = {part for names in found.values() for name in names for part in name.split(BOTH)}
    reasons = {common(str(task[number].error)) for number, names in found.items() if names}
    return [number for number in agree if not found.get(number) and not task[number].aside
            and not named & bank.answers.get(number, {}).keys()
            and not str(task[number].error).startswith((NOT_WRITTEN, NOT_IMPORTED))
            and common(str(task[number].error)) not in reasons]


def alike_apart(package: str, number: str, reference: Reference, answers: Sequence[Answer],
                ) -> list[tuple[int, str]]:
    """Which of several wrong answers to a check are the same, in a process that may be lost.

    Returns:
        for each, the place of the first one that is the same, and how that one reads.
    """
    check, found = load(package).by_number[number], []
    firsts: dict[int, tuple[Answer, dict[str, Any], str]] = {}
    for place, answer in enumerate(answers):
        stored = as_stored(answer) or {"error": answer.status}
        # A check may take anything for right where too little is expected, so ask both ways.
        first = next((other for other, (theirs, wrong, _) in firsts.items()
                      if agrees(check, reference, answer, wrong)
                      and agrees(check, reference, theirs, stored)), place)
        reads = stored["error"] if "error" in stored else show(stored["value"])
        firsts.setdefault(first, (answer, stored, reads))
        found.append((first, firsts[first][2]))
    return found


def possible(number: str, task: Mapping[str, Outcome], bank: Bank,
             agree: Mapping[str, set[str]]) -> list[str]:
    """Mistakes that answer one check like the submission, see `_candidates`. None where there are
    several, or two at once, of which one changes another check as well, which is answered as no
    known mistake answers it: an unknown one is there then, and may be all causes. What has one
    explanation is one mistake in several forms."""
    names = _candidates(number, task, bank, agree)
    parts = {part for name in names for part in name.split(BOTH)}
    causes = {bank.known[part].explanation for part in parts}
    against = {part: _against(part, bank, agree) for part in parts}
    if len(causes) < 2 or not any(against.values()):
        return names
    strong = [name for name in names if sum(name in alike for alike in agree.values()) > max(
        1, len({n for part in name.split(BOTH) for n in against[part]}))]
    return strong if len(strong) == 1 else []


def _against(name: str, bank: Bank, agree: Mapping[str, set[str]]) -> list[str]:
    """Checks that a mistake changes as well, and that are answered as no known one answers them."""
    return [n for n in agree if not agree[n] and name in bank.answers.get(n, {})]


def _candidates(number: str, task: Mapping[str, Outcome], bank: Bank,
                agree: Mapping[str, set[str]]) -> list[str]:
    """Mistakes that answer one check like the submission, if all checks of the task fail that they
    make fail; two at once only where no single one does, or where it would answer others otherwise
    and the two would not."""
    names = [name for name in bank.answers.get(number, {}) if name in agree[number]
             and all(n in agree for n in task for part in name.split(BOTH)
                     if part in bank.answers.get(n, {}))]
    single = [name for name in names if name in bank.known]
    if any(_fits(name, bank, agree) for name in single):
        return single
    found = single + [n for n in names if n not in single and _fits(n, bank, agree)]
    return found if 0 < len(found) <= MOST else single or [
        name for name in names if not _absent(name, bank, agree)]


def _absent(name: str, bank: Bank, agree: Mapping[str, set[str]]) -> bool:
    """Whether of two mistakes one shows in a single check, while another one that it changes is
    answered as by other known ones."""
    for part in name.split(BOTH):
        shown = [n for n in agree if any(part in other.split(BOTH) for other in agree[n])]
        if len(shown) < 2 and any(agree[n] and n not in shown and part in bank.answers.get(n, {})
                                  for n in agree):
            return True
    return False


def _fits(name: str, bank: Bank, agree: Mapping[str, set[str]]) -> bool:
    """Whether each check that a mistake, or either of two, changes is answered as by it or them."""
    return all({part, name} & agree[n] for n in agree for part in name.split(BOTH)
               if part in bank.answers.get(n, {}))


def _tell(number: str, names: list[str], bank: Bank, said: dict[str, str]) -> str:
    """One mistake by its name, or two; of several only what they share."""
    if len(names) > 1:
        first = said.setdefault(" or ".join(names), number)
        titles = "; or ".join(bank.title(name) for name in names)
        rules = sorted({bank.known[part].rule for name in names for part in name.split(BOTH)})
        return (f"Several known mistakes answer like this: your code {titles}. "
                f"They break {' or '.join(rules)}." if first == number else
                f"{LIKE} of {first}.")
    parts = names[0].split(BOTH)
    before = " and ".join(dict.fromkeys(said[part] for part in parts if part in said))
    new = [part for part in parts if said.setdefault(part, number) == number]
    if not new:
        return f"{LIKE}{'s' * (len(parts) > 1)} of {before}."
    beside = f", beside the mistake of {before}" if before else ""
    return " ".join([f"It looks as if your code {bank.title(BOTH.join(new))}{beside}.",
                     *(bank.known[part].explanation for part in new)])
