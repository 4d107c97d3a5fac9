"""Load balancers that are routes in a Kubernetes cluster, served by whatever controller the cluster has."""
