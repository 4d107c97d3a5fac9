"""How this version of the cart behaves: what a release changes."""

GREETING = "Your cart"
ERROR_PERCENT = 0
"""Of how many requests in a hundred fail. Nobody sets this on purpose."""
IS_HEALTHY = True
"""What /healthz finds."""
