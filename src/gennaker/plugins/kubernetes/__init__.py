"""Kubernetes: manifests and their stages, on any cluster that an account names (docs/decisions/0015)."""
