"""The canary judges: two sets of samples in, classifications, a score and an explanation out. Pure."""
