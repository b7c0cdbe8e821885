"""The graded checks: pytest functions, one behaviour each.

A check is a function of `answer` (what the submission returned), `expected` (what the solution
returned for the same question) and, where it needs it, `question`. Its decorators give its number,
points and rule, and the question it asks; its docstring is the sentence a student reads.
"""
