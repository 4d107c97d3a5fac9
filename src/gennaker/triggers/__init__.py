"""Which pipelines an event starts, with which trigger and artifacts. Pure."""
