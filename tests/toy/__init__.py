"""A small assignment of its own, which the engine grades as it stands: mean and variance."""

from pathlib import Path

from autograder.engine.assignment import Assignment, Task

FOLDER = Path(__file__).parent

ASSIGNMENT = Assignment(
    package=__name__,
    title="Mean and variance",
    problems=("work",),
    tasks={task.number: task for task in (
        Task("1.1", "Mean", "work/averages.py", functions=("averages.mean",)),
        Task("1.2", "Variance", "work/spread.py", needs=("1.1",)),
    )},
    rules_file=FOLDER / "rules.md",
    solution=FOLDER / "solution",
    libraries=frozenset({"torch"}),
)
