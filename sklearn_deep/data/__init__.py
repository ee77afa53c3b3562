"""User data to tensors: targets, weights, the validation split, minibatches."""
