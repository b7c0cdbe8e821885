"""The autograder: student code answers questions in worker processes, the grader compares.

    questions (seeded) --solution--> references: inputs and expected outputs, as data
    submission --worker--> answers --compare with references--> checks --> rows --> results

The grader's own process never imports student code and needs neither torch nor the solution.
"""
