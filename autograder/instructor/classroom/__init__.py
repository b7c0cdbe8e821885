"""Grade whole classes: `python -m autograder classroom`. For instructors alone."""
