"""What a network consists of, layer by layer, before and after a fit."""
