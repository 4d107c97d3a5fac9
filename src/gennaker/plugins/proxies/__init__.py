"""Load balancers served by HAProxy, Envoy, nginx or Traefik, which Gennaker starts and keeps."""
