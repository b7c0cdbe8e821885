"""The data of this term: what is drawn where no seed is named. `new-term` rewrites this file."""

SEED = 641
PROFILE = "standard"
