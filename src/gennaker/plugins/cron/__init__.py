"""Cron triggers: pipelines that start at certain times."""
