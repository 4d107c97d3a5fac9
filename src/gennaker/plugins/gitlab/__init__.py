"""GitLab: its CI/CD pipelines as a CI system."""
