"""OCI images as files: manifests, layouts, Dockerfiles, layers; building without a daemon and unpacking."""
