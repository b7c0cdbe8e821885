"""Questions to students about the code, the weights and the logs that they handed in.

`functions` and `trained` hold the kinds of questions, `sheets` makes and writes a sheet for each.
"""
