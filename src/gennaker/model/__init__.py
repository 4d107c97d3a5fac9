"""What things are: pipelines, executions, stages, tasks, triggers, artifacts, events, effects. Pure data."""
