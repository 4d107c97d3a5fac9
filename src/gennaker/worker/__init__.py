"""Performs effects: the embedded loop, timers, recovery, and the services that run as long as the server."""
