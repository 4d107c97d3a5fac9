"""Talking to Kubernetes' API servers: kubeconfig, credentials, requests and watches. Knows nothing of what is deployed."""
