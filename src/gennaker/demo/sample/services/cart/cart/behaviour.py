"""How this version behaves; what product people change from release to release."""

GREETING = "Your cart"
IS_HEALTHY = True
"""What /healthz says."""
