"""Apps of several hospitals and of their server."""
