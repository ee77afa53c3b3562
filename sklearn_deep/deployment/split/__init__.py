"""A pipeline in two halves: one on the client, one on a server."""
