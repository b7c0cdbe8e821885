"""`python -m autograder new-term`: all that follows from a new seed, in one command.

`term` says what a term is, `steps` what is done for it, `make` does it in a copy of the kit
(`kit_copy`), and writes what changed (`facts`). The checkout itself changes at the very
end, if every step has passed.
"""
