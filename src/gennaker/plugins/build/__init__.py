"""The built-in builder: a commit becomes tested, described and pushed."""
