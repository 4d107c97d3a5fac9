"""Ports: what a plugin, a journal, a cloud or traffic provider, a notifier or a clock must offer."""
