"""The graded checks: one behaviour each.

A check is a function of `answer` (what the submission returned), `expected` (what the solution
returned for the same question) and, where it needs it, `question`. `@check` gives it its number,
its rule and the question it asks; its docstring is the sentence a student reads. Points stand in
`points.toml`.
"""
