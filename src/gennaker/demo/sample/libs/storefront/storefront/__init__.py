"""What the storefront's services share: an HTTP server with WebSockets, metrics, start and stop, acceptance tests."""

__version__ = "1.1.0"
