"""What the storefront's services share: an HTTP server with WebSockets, metrics, start and stop, acceptance checks."""

__version__ = "1.0.0"
