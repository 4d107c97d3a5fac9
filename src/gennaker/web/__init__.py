"""HTTP: Gate-compatible routes, native API, webhooks, live updates, sign-in, the page, the image registry."""
