"""The roster of a class: who should have handed in, and how other systems call them."""

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...assignment import ASSIGNMENT
from .entry import GRADED, NO_SUBMISSION, Entry
from .intake import NOTHING, Handed
from .tables import read_table

# What columns of rosters and gradebooks hold: of Canvas, of Gradescope, of GitHub Classroom.
COLUMNS = {
    "number": ("number", "sid", "student id", "sis user id", "identifier"),
    "email": ("email", "e-mail", "sis login id"),
    "name": ("name", "student", "full name"),
    "first": ("first name",), "last": ("last name",),
    "canvas": ("id",), "login": ("login", "account", "github_username"),
    "section": ("section", "sections"), "role": ("role",),
}


@dataclass(frozen=True)
class Person:
    """A row of the roster; "" where it says nothing. `canvas` is the number in Canvas, `login` the
    name of an account, `row` all of it, as it is written."""

    number: str
    email: str
    name: str
    canvas: str
    login: str
    section: str
    row: dict[str, str]

    @property
    def keys(self) -> set[str]:
        """What a submission may call this student."""
        return {_key(key) for key in (self.number, self.email, self.canvas, self.login) if key}


def read_roster(path: Path) -> list[Person]:
    """The people of a roster: a table of one's own, or the gradebook of Canvas or Gradescope.

    Raises:
        ValueError: it names nobody, somebody by a name alone, or two people alike.
    """
    people: list[Person] = []
    for row in read_table(path):
        cased = {key.casefold(): cell for key, cell in row.items()}
        found = {field: next((cased[name] for name in names if cased.get(name)), "")
                 for field, names in COLUMNS.items()}
        first, last, role = (found.pop(field) for field in ("first", "last", "role"))
        found["name"] = found["name"] or f"{first} {last}".strip()
        person = Person(row=row, **found)
        # The gradebook of Canvas has a row of points as well, and one of nobody; Gradescope lists
        # those who teach.
        if (person.name == "Points Possible" or person.name == "Student, Test" and not person.number
                or role.casefold() not in ("", "student")):
            continue
        people.append(person)
    nameless = [person.name for person in people if not person.keys]
    if len(nameless) == len(people):
        raise ValueError(f"{path} names nobody: no row has anything in a column number, email, id "
                         "or login")
    if nameless:
        raise ValueError(f"{path}: {nameless[0] or 'a row'} has neither number nor e-mail nor "
                         "account")
    seen: set[str] = set()
    for person in people:
        if seen & person.keys:
            raise ValueError(f"{path} has two rows of {min(seen & person.keys)}")
        seen |= person.keys
    return people


def expected_of(handed: Iterable[Handed], numbers: Sequence[str] = ()) -> list[Entry]:
    """The entries of a class before anything is graded, with the checks of these numbers."""
    possible = sum(ASSIGNMENT.points.by_number.get(number, 0.0) for number in numbers)
    return [Entry(student.id, student.name, student.email, number=student.number,
                  returned=each.returned,
                  status=GRADED if each.path.exists() else NO_SUBMISSION, possible=possible,
                  checks={number: {"score": 0.0} for number in numbers})
            for each in handed for student in each.students]


def matched(people: Iterable[Person], entries: Sequence[Entry]) -> dict[str, Person]:
    """Entry's student -> who that is, for all that are on the roster.

    A student is known by number, e-mail, account or name; of a repository `homework1-jane`, the
    account `jane` will do. A name that two people have says nothing, nor where number and e-mail
    are another's; neither does a number that Canvas has given, but on a roster with its numbers or
    beside the name.
    """
    by_key: dict[str, Person] = {}
    by_name: dict[str, list[Person]] = {}
    for person in people:
        by_key |= dict.fromkeys(person.keys, person)
        for form in _forms(person.name):
            by_name.setdefault(form, []).append(person)
    found = {}
    for entry in entries:
        alike = {id(person): person for form in _forms(entry.name or entry.student)
                 for person in by_name.get(form, ())}
        who = next((by_key[_key(call)] for call in (entry.number, entry.email, entry.student,
                                                    entry.name) if _key(call) in by_key), None)
        if who and entry.returned and _key(who.canvas) != _key(entry.number):
            who = alike.get(id(who))
        account = _key(entry.student.partition("-")[2])
        if who is None and account in by_key and account != _key(by_key[account].number):
            who = by_key[account]
        if who is None and len(alike) == 1:
            other = next(iter(alike.values()))
            who = None if _contradicts(entry, other) else other
        if who:
            found[entry.student] = who
    return found


def _contradicts(entry: Entry, person: Person) -> bool:
    """Whether number and e-mail both say that it is somebody else of that name."""
    pairs = (entry.number, person.number), (entry.email, person.email)
    return not entry.returned and all(a and b and _key(a) != _key(b) for a, b in pairs)


def doubtful(entries: Iterable[Entry], found: dict[str, Person]) -> dict[str, str]:
    """Entry's student -> what is to be said where number or e-mail are another's than those of the
    person on the roster."""
    said = {}
    for entry in entries:
        who = found.get(entry.student)
        others = [] if who is None else [f"{what} {own} is not {theirs}" for what, own, theirs in (
            ("number", "" if entry.returned else entry.number, who.number),
            ("e-mail", entry.email, who.email)) if own and theirs and _key(own) != _key(theirs)]
        if who and others:
            said[entry.student] = (f"is taken for {who.name or who.number} of the roster, although "
                                   f"{' and '.join(others)}")
    return said


def doubled(found: dict[str, Person]) -> dict[str, str]:
    """Entry's student -> what is to be said where several are one person."""
    of_person: dict[int, list[str]] = {}
    for student, person in found.items():
        of_person.setdefault(id(person), []).append(student)
    return {student: f"{', '.join(each for each in own if each != student)} is "
                     f"{found[student].name or 'the same person'} as well: keep one of them"
            for own in of_person.values() if len(own) > 1 for student in own}


def _key(text: str) -> str:
    """What identifies somebody, as far as tables write it alike: some eat zeros at the start."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return plain.lstrip("0") or "0" if plain.isdigit() else plain


def named(entries: Iterable[Entry], found: dict[str, Person]) -> list[Entry]:
    """The entries with what the roster says of these students, where it says anything."""
    return [replace(entry, name=who.name or entry.name, email=who.email or entry.email,
                    number=who.number or entry.number)
            if (who := found.get(entry.student)) else entry for entry in entries]


@functools.cache
def _forms(name: str) -> set[str]:
    """What a name may look like: `Doe, Jane`, `Jane Doe` and the `doejane` of Canvas are one."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name).casefold()
                    if not unicodedata.combining(c))  # platforms drop accents
    words = "".join(c if c.isalnum() else " " for c in plain).split()
    turned = ("".join(words[i:] + words[:i]) for i in range(len(words)))
    return {" ".join(sorted(words)), *turned} - {""}


def missing(people: Iterable[Person], found: dict[str, Person]) -> list[Entry]:
    """An entry for everybody who has handed nothing in."""
    there = [id(person) for person in found.values()]
    return [Entry(person.email or person.number or person.canvas or person.login, person.name,
                  person.email, number=person.number, status=NO_SUBMISSION,
                  error=NOTHING)
            for person in people if id(person) not in there]
