"""The grade as one HTML page that needs nothing else.

`page.py` writes the page. `figures.py` chooses the figure of a check; `problem1.py`, `problem2.py`
and `trained.py` draw; `canvas.py` is what they draw on. Answers come from student code: a figure is
drawn only from values that have been looked at, and left out where they do not fit.
"""
