"""The outside world, one folder a system, each listing in its plugin.py what it offers."""
