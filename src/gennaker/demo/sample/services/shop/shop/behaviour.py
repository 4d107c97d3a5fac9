"""How this version of the shop behaves: what a release changes."""

HEADLINE = "Welcome to the shop"
OFFER_PERCENT = 40
"""Of how many visits in a hundred the page offers something, which visitors then buy."""
ERROR_PERCENT = 0
"""Of how many requests in a hundred fail. Nobody sets this on purpose."""
IS_HEALTHY = True
"""What /healthz finds."""
