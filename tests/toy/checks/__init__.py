"""The graded checks."""
