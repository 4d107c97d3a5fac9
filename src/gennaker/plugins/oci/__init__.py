"""OCI images in foreign and own registries: the client of the distribution API."""
