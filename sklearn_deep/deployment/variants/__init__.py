"""One fitted pipeline as files of several sizes, and the best of them for a budget."""
