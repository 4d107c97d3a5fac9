"""What gennaker demo shows: the sample repository, its pipelines, the load generator, the mail sink and the story."""
