"""The grade as one HTML page that needs nothing else.

`page` writes it, `figures` finds the figure of a check in the assignment, and `canvas` is what
figures are drawn on.
"""
