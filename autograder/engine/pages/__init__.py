"""The grade as one HTML page that needs nothing else.

`grade_page` writes it, `figures` finds the figure of a check in the assignment, `canvas` is what
figures are drawn on, and `rendering` fills in the templates, which other pages share.
"""
