"""The reference study: trainings, their stored results, and the report that is drawn from them.

    runs       which trainings there are, and which of them are still to do
    training   one training, in a process of its own
    report     the page, `make report`
"""
