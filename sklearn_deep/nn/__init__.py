"""Tensors to raw outputs: the networks, and the tables their parts come from."""
