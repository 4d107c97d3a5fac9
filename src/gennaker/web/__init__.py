"""HTTP: the Gate-compatible API, the native API, webhooks in, live updates, the static page; it is handed ports, no parts."""
