"""What runs beside student code: a server that forks, the child that answers, and its probes.

Nothing in here knows an expected answer, so student code may read all of it.
"""
