"""Every sentence of the rules has a wrong variant that breaks it, or demands nothing.

That variants are caught, other tests show: known mistakes by the answers that the bank stores of
them (test_known_mistakes.py; `make prove` grades them all), the others in test_wrong_variants.py.
"""

import re
from pathlib import Path

import pytest

from autograder.assignment import ASSIGNMENT
from autograder.assignment.mistakes import all_mistakes
from autograder.engine.points import tomllib
from tests.assignment.wrong import VARIANTS

# up to a full stop before a space, outside of code and not that of an abbreviation
SENTENCE = re.compile(r"(?:`[^`]*`|[^`])+?(?<!e\.g)(?<!i\.e)[.?!](?=\s|$)")


def split_rules(rules):
    """The sentences of rules: rule id, "/" and a number from 1 -> the sentence."""
    return {f"{identifier}/{number}": sentence.strip() for identifier, text in rules.items()
            for number, sentence in enumerate(SENTENCE.findall(text), 1)}


SENTENCES = split_rules(ASSIGNMENT.rules)
# Each with one word why: no code breaks it.
DEMANDS_NOTHING = tomllib.loads(
    Path(__file__).with_name("sentences.toml").read_text(encoding="utf-8"))
MISTAKES = all_mistakes().values()
BROKEN = {mistake.sentence for mistake in MISTAKES} | {sentence for sentence, *_ in
                                                       VARIANTS.values()}


def test_rules_are_split_into_whole_sentences():
    for identifier, text in ASSIGNMENT.rules.items():
        own = [sentence for name, sentence in SENTENCES.items()
               if name.startswith(f"{identifier}/")]
        assert own and " ".join(own) == text
    assert split_rules({"a": "Take .5, e.g. `f(x). Or` this (or 1.5). It ends."}) == {
        "a/1": "Take .5, e.g. `f(x). Or` this (or 1.5).", "a/2": "It ends."}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_is_broken_by_a_variant_or_demands_nothing(sentence):
    assert (sentence in BROKEN) != (sentence in DEMANDS_NOTHING), SENTENCES[sentence]


def test_what_is_said_of_sentences_is_about_those_of_the_rules():
    assert BROKEN | set(DEMANDS_NOTHING) <= set(SENTENCES)
    assert all(re.fullmatch("[a-z]+", why) for why in DEMANDS_NOTHING.values())
