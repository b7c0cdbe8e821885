"""The autograder: student code answers questions in worker processes, the grader compares.

    questions (seeded) --solution--> references: inputs and expected outputs, as data
    submission --worker--> answers --compare with references--> checks --> rows --> results

Four rooms, whose imports run one way:

    engine/      grades any assignment of this form, and names nothing of this one
    assignment/  what is asked here: tasks, checks, points, probes, figures, known mistakes
    gradescope/  what runs on the platform
    instructor/  starter, references, proof, packages, terms, classes; never leaves home

The grader's own process never imports student code and needs neither torch nor the solution.
"""

from pathlib import Path

KIT = Path(__file__).resolve().parents[1]
THE_ASSIGNMENT = "autograder.assignment"  # the package that the engine loads
