"""Grade any assignment of this form: ask student code questions, and compare its answers.

An assignment (`assignment.load`) is a package that says what is asked. It uses these modules:

    assignment          Assignment, Task: what the package tells the engine
    check               Check, Question: what is asked, and how an answer is judged
    compare             compare an answer with what is expected, in words for a student
    points              points, and how accuracies become points
    sandbox.student     the submission, as probes see it in the worker
    sandbox.probes      the probes that every assignment has
    sandbox.recording   earlier functions, answered from a record
    sandbox.keys        by what the record knows a call, and that it does not know one
    pages.canvas        figures of wrong answers
    pytest_plugin       what the checks' conftest.py hands on to pytest; the graded run itself

The others are the engine's own:

    submission, sources     take in what was handed in
    archive, handing_in     zip files: unpack what was handed in, build what will be
    references, diagnosis   stored answers: of the solution, of known mistakes
    grade, grading          a grade: plan rows, ask, judge, follow earlier mistakes through
    watch                   a grade after every save, of what can have changed
    sandbox                 the processes that student code runs in
    results, terminal, pages    what comes out: results.json, a summary, an HTML page
"""
