"""Azure DevOps: its pipelines as a CI system."""
