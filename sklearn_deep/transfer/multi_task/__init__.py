"""Several tasks at once: one network, with a head per column of y."""
