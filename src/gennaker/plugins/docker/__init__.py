"""The cloud provider `docker`: instances and jobs are containers of Docker or Podman."""
