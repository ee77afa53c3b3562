"""The loop over the epochs of one job, its evaluation and its callbacks."""
