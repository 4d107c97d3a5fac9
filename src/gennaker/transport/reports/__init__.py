"""Reports: what tools write about tests, findings and components, read into short summaries."""
