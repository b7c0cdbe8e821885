"""What runs on Gradescope: `setup.sh` builds the image, `run_autograder` grades one submission.

    setup.sh        installs, locks the files, and ends with `selfcheck`
    run_autograder  puts down a results.json for the case that all fails, and starts `run`
    run             grades, writes results.json, tells instructors what only they should know
    ended           marks the results where `run` was ended
    leaderboard     accuracies on images that no check uses
    selfcheck       grades the starter with one function written, as Gradescope would
"""
