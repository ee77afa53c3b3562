"""One optimizer step: gradients, flat weights, random bits, augmented batches."""
