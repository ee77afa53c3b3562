"""Data-parallel training of one fit: the ranks, and a rank's share of each batch.

Every rank walks the same batches, in the order that the seed of the job gives, and computes
the gradient of its share of the rows. One message per step adds the gradients up.
"""
