"""What the storefront's services share: an HTTP server, WebSockets, metrics."""
