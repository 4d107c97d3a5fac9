"""How this version behaves; what product people change from release to release."""

HEADLINE = "Welcome to the shop"
OFFER_PERCENT = 40
"""Of how many visits in a hundred the page offers something that is bought."""
ERROR_PERCENT = 0
"""Of how many requests in a hundred fail. Nobody sets this on purpose."""
IS_HEALTHY = True
"""What /healthz says."""
