"""Data augmentation: random changes of training batches, seeded by the fit."""
