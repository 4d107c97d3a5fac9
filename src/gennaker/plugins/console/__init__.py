"""Notifications on the server's own log."""
