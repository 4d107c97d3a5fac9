"""GitHub: its Actions as a CI system."""
