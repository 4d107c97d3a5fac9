"""Notifications and calls to other systems over HTTP."""
