"""Train and test error against the size of a network."""
