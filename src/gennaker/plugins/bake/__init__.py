"""Manifests rendered from charts and kustomizations, by the programs helm and kustomize."""
