"""The handout that students read, and the notebooks that they look at their own code with.

    rules.md, text/*.md      what is said
    figures.py, facts.py     pictures and tables that the kit's own code makes
    page.py                  Markdown, formulas and figures in one HTML page
    chromium.py              the browser that prints the page
    times.py, times.json     how long things take, measured
    notebooks/*.py           sources of problem1.ipynb and problem2.ipynb, built by notebooks.py

`python -m handout build` and `python -m handout notebooks` run it all.
"""
