"""The handout that students read, and the notebooks that they look at their own code with.

    rules.md, text/*.md      the rules, and the texts with their tables
    figures.py, facts.py     pictures and numbers that the kit's own code makes
    drawing.py               what figures share
    page.py                  Markdown, formulas and figures in one HTML page
    chromium.py              the browser that prints the page
    times.py, times.json     how long things take, measured
    curves.py, curves.json   how training looks when it works and when it does not, trained
    notebooks/*.py           sources of problem1.ipynb and problem2.ipynb, built by ipynb.py
    study                    trainings of the reference, and the report that is drawn from them

`python -m handout build`, `report` and `notebooks` run it all.
"""
