"""Mutation testing: small changes of the solution's own code, each of which a check should notice.

Only the graded regions are changed (see `autograder.instructor.starter`). Module `survival` finds
out whether checks notice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path

import libcst as cst
from libcst import metadata

from ...assignment.tasks import TASKS
from ..starter import EXCUSE, regions, sources


@dataclass(frozen=True)
class Mutant:
    """One small change.

    Args:
        file: `problem1/utils.py`; line: of the original, from 1.
        function: qualified name, `DetectionLoss.forward`; empty at module level.
        operator: key of OPERATORS.
        original, mutated: the lines that differ, without indent and excuses, joined by a space.
        tasks: whose checks are asked.
        text: the whole changed file.
    """

    file: str
    line: int
    function: str
    operator: str
    original: str
    mutated: str
    tasks: tuple[str, ...]
    text: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.original}  ->  {self.mutated}"


ARITHMETIC: dict[type, type] = {
    cst.Add: cst.Subtract, cst.Subtract: cst.Add, cst.Multiply: cst.Divide,
    cst.Divide: cst.Multiply, cst.FloorDivide: cst.Divide, cst.Modulo: cst.FloorDivide,
    cst.Power: cst.Multiply, cst.BitAnd: cst.BitOr, cst.BitOr: cst.BitAnd,
    cst.AddAssign: cst.SubtractAssign,
}
COMPARISON: dict[type, tuple[type, ...]] = {
    cst.LessThan: (cst.LessThanEqual, cst.GreaterThanEqual),
    cst.LessThanEqual: (cst.LessThan, cst.GreaterThan),
    cst.GreaterThan: (cst.GreaterThanEqual, cst.LessThanEqual),
    cst.GreaterThanEqual: (cst.GreaterThan, cst.LessThan),
    cst.Equal: (cst.NotEqual,), cst.NotEqual: (cst.Equal,), cst.Is: (cst.IsNot,),
    cst.IsNot: (cst.Is,), cst.In: (cst.NotIn,), cst.NotIn: (cst.In,),
}
BOOLEAN: dict[type, type] = {cst.And: cst.Or, cst.Or: cst.And}
PAIRS = (
    ("True", "False"), ("min", "max"), ("amin", "amax"), ("minimum", "maximum"),
    ("argmin", "argmax"), ("cummin", "cummax"), ("sum", "mean"), ("values", "indices"),
    ("zeros", "ones"), ("zeros_like", "ones_like"), ("train", "eval"), ("sigmoid", "softmax"),
)
NAMES = dict([*PAIRS, *(pair[::-1] for pair in PAIRS), ("prod", "sum"), ("cumsum", "cumprod"),
              ("log", "log2"), ("exp", "exp2")])
STRING_PAIRS = (("sum", "mean"), ("ij", "xy"), ("RGB", "L"), ("heatmap", "regression"),
                ("bbox", "torso"))
# Functions that give the same whatever the order of their arguments.
SYMMETRIC = ("max", "min", "maximum", "minimum", "mse_loss", "smooth_l1_loss")
# Names of modules, and `self`: a call of their functions and methods has nothing to fall back to.
NOT_VALUES = ("F", "Image", "argparse", "evaluate", "functional", "json", "math", "nn", "np",
              "self", "sys", "time", "torch")
STRINGS = dict([*STRING_PAIRS, *(pair[::-1] for pair in STRING_PAIRS), ("none", "mean")])


def _like(old: cst.CSTNode, new: Callable[..., cst.CSTNode]) -> cst.CSTNode:
    """Another operator in the same place, with the whitespace of the old one."""
    return new(**{name: getattr(old, name) for name in ("whitespace_before", "whitespace_after")})


Change = tuple[cst.CSTNode, cst.CSTNode]  # a part of the tree, and what takes its place


def arithmetic(node: cst.CSTNode) -> Iterator[Change]:
    """Another arithmetic or set operator."""
    if isinstance(node, (cst.BinaryOperation, cst.AugAssign)) and type(node.operator) in ARITHMETIC:
        yield node.operator, _like(node.operator, ARITHMETIC[type(node.operator)])


def comparison(node: cst.CSTNode) -> Iterator[Change]:
    """The neighbouring comparison and the opposite one."""
    if isinstance(node, cst.ComparisonTarget):
        for other in COMPARISON[type(node.operator)]:
            yield node.operator, _like(node.operator, other)


def boolean(node: cst.CSTNode) -> Iterator[Change]:
    """`and` for `or`; a condition that is no comparison, negated."""
    if isinstance(node, cst.BooleanOperation):
        yield node.operator, _like(node.operator, BOOLEAN[type(node.operator)])
    if isinstance(node, (cst.If, cst.IfExp, cst.While, cst.CompIf)) and not isinstance(
            node.test, (cst.Comparison, cst.BooleanOperation, cst.UnaryOperation)):
        yield node.test, cst.UnaryOperation(cst.Not(), node.test)


def unary(node: cst.CSTNode) -> Iterator[Change]:
    """`not`, `~` and `-` removed."""
    if isinstance(node, cst.UnaryOperation):
        yield node, node.expression


def number(node: cst.CSTNode) -> Iterator[Change]:
    """A whole number one more and one less; any other twice and half as large."""
    if isinstance(node, cst.Integer):
        for whole in (node.evaluated_value + 1, node.evaluated_value - 1):
            yield node, cst.parse_expression(str(whole))
    if isinstance(node, cst.Float):
        value = node.evaluated_value
        for other in (value * 2, value / 2) if value else (1.0,):
            yield node, cst.Float(repr(other))


def name(node: cst.CSTNode) -> Iterator[Change]:
    """A function's counterpart: min for max, mean for sum, False for True."""
    if isinstance(node, cst.Name) and node.value in ("True", "False"):
        yield node, cst.Name(NAMES[node.value])
    if isinstance(node, cst.Attribute) and node.attr.value in NAMES:
        yield node.attr, cst.Name(NAMES[node.attr.value])
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value in NAMES:
        yield node.func, cst.Name(NAMES[node.func.value])


def string(node: cst.CSTNode) -> Iterator[Change]:
    """Another reduction, indexing, colour mode or option."""
    if isinstance(node, cst.SimpleString) and node.raw_value in STRINGS:
        yield node, cst.SimpleString(f'"{STRINGS[node.raw_value]}"')


def _name(function: cst.BaseExpression) -> str:
    """`maximum` of `torch.maximum`."""
    return getattr(getattr(function, "attr", function), "value", "")


def swap(node: cst.CSTNode) -> Iterator[Change]:
    """Neighbouring positional arguments, elements or indices exchanged."""
    fields = {cst.Call: ("args", "value"), cst.Tuple: ("elements", "value"),
              cst.List: ("elements", "value"), cst.Subscript: ("slice", "slice")}
    if type(node) not in fields or isinstance(node, cst.Call) and _name(node.func) in SYMMETRIC:
        return
    children, inner = fields[type(node)]
    items = list(getattr(node, children))
    for i, (left, right) in enumerate(pairwise(items)):
        fixed = any(isinstance(item, cst.StarredElement) or getattr(item, "star", "")
                    or getattr(item, "keyword", None) for item in (left, right))
        values = getattr(left, inner), getattr(right, inner)
        if not fixed and not values[0].deep_equals(values[1]):
            swapped = [left.with_changes(**{inner: values[1]}),
                       right.with_changes(**{inner: values[0]})]
            yield node, node.with_changes(**{children: [*items[:i], *swapped, *items[i + 2:]]})


def bound(node: cst.CSTNode) -> Iterator[Change]:
    """The bound of a slice off by one, where it is no plain number."""
    if isinstance(node, cst.Slice):
        for value in (node.lower, node.upper):
            if value is not None and not isinstance(value, (cst.Integer, cst.UnaryOperation)):
                for operator in (cst.Add(), cst.Subtract()):
                    yield value, cst.BinaryOperation(value, operator, cst.Integer("1"))


def keyword(node: cst.CSTNode) -> Iterator[Change]:
    """A keyword argument left out; not `device`, which changes nothing where checks run."""
    if isinstance(node, cst.Call):
        for i, argument in enumerate(node.args):
            if argument.keyword is not None and argument.keyword.value != "device":
                yield node, node.with_changes(args=[*node.args[:i], *node.args[i + 1:]])


def call(node: cst.CSTNode) -> Iterator[Change]:
    """`x` for `x.method(...)` and for `function(x)`; not for `x.to(device)`, see `keyword`."""
    if not isinstance(node, cst.Call) or (
            _name(node.func) == "to" and _name(node.args[0].value) == "device"):
        return
    if isinstance(node.func, cst.Attribute) and not (
            isinstance(node.func.value, cst.Name) and node.func.value.value in NOT_VALUES):
        yield node, node.func.value
    elif len(node.args) == 1 and node.args[0].keyword is None and not node.args[0].star:
        value = node.args[0].value
        if not isinstance(value, cst.GeneratorExp):  # no value of its own
            yield node, value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def statement(node: cst.CSTNode) -> Iterator[Change]:
    """A statement that acts by what it does - a call, `x[i] = ...`, `+=`, raise - left out."""
    if (isinstance(node, (cst.AugAssign, cst.Raise))
            or isinstance(node, cst.Expr) and isinstance(node.value, cst.Call)
            or isinstance(node, cst.Assign) and isinstance(
                node.targets[0].target, (cst.Subscript, cst.Attribute))):
        yield node, cst.Pass()


OPERATORS = (arithmetic, comparison, boolean, unary, number, name, string, swap, bound, keyword,
             call, statement)


class _Collector(cst.CSTVisitor):
    """The changes of a file: `(line, indent, function, operator, old part, new part)`."""

    METADATA_DEPENDENCIES = (metadata.PositionProvider,)

    def __init__(self, lines: dict[int, tuple[str, ...]]):
        super().__init__()
        self.lines = lines
        self.names: list[str] = []
        self.column = 0
        self.alone: cst.CSTNode | None = None
        self.found: list[tuple[int, int, str, str, cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.ClassDef, cst.FunctionDef)):
            self.names.append(node.name.value)
        if isinstance(node, cst.Expr):
            self.alone = node.value  # without its effect, nothing is left of it: see `statement`
        # How messages and pictures word things is free, and so are types.
        if isinstance(node, (cst.FormattedString, cst.Annotation)):
            return False
        place = self.get_metadata(metadata.PositionProvider, node, None)
        if place is None:
            return True
        if isinstance(node, (cst.BaseSmallStatement, cst.BaseCompoundStatement)):
            self.column = place.start.column
        if place.start.line in self.lines:
            self.found += [
                (place.start.line, self.column, ".".join(self.names), operator.__name__, old, new)
                for operator in OPERATORS for old, new in operator(node)
                if not (operator is call and node is self.alone)]
        return not isinstance(node, cst.Raise)

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, (cst.ClassDef, cst.FunctionDef)):
            self.names.pop()


def graded_lines(source: str) -> dict[int, tuple[str, ...]]:
    """Line number -> tasks, for the lines inside graded regions.

    A region of helpers belongs to the task that it is for, or to all tasks of its file.
    """
    own = [(lines, begin[2], begin[2] or begin[5]) for lines, begin in regions(source)]
    tasks = tuple(dict.fromkeys(task for _, task, _ in own if task in TASKS))
    return {number: (task,) if task else tasks for lines, _, task in own
            for number in lines if task is None or task in TASKS}


def mutants_of(source: str, file: str) -> list[Mutant]:
    """Every mutant of one file, in the order of its lines."""
    lines = graded_lines(source)
    wrapper = metadata.MetadataWrapper(cst.parse_module(source))
    places = wrapper.resolve(metadata.WhitespaceInclusivePositionProvider)
    collector = _Collector(lines)
    wrapper.visit(collector)
    starts = list(accumulate((len(line) for line in source.splitlines(keepends=True)), initial=0))
    found: dict[str, Mutant] = {}
    for line, column, function, operator, old, new in collector.found:
        start, end = ((starts[place.line - 1] + place.column)
                      for place in (places[old].start, places[old].end))
        # Printed by itself, a part lacks the indent of the statement that it stands in.
        part = wrapper.module.code_for_node(new).replace("\n", "\n" + " " * column)
        text = source[:start] + part + source[end:]
        original, mutated, first = _difference(source, text)
        found.setdefault(text, Mutant(file, first, function, operator, original, mutated,
                                      lines[line], text))
    found.pop(source, None)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _difference(before: str, after: str) -> tuple[str, str, int]:
    """The lines that differ in each, and the first one's number."""
    old, new = ([EXCUSE.sub("", line) for line in text.splitlines()] for text in (before, after))
    first = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), 0)
    last = next((i for i, (a, b) in enumerate(zip(old[:first:-1], new[:first:-1])) if a != b),
                min(len(old), len(new)) - first - 1)
    join = [" ".join(filter(None, map(str.strip, lines[first:len(lines) - last])))
            for lines in (old, new)]
    return join[0], join[1], first + 1


def mutants_of_solution(solution: Path) -> list[Mutant]:
    """Every mutant of every file."""
    return [mutant for file, source in sources(solution).items() if file.endswith(".py")
            for mutant in mutants_of(source, file)]
