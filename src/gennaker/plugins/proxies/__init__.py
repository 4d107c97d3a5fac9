"""Load balancers served by HAProxy or Envoy, which Gennaker starts and keeps: one process each."""
