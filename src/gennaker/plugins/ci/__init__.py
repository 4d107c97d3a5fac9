"""CI stages: jobs of other systems, and of the built-in builder, as stages of pipelines."""
