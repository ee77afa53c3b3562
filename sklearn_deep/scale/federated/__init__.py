"""Many owners of rows that stay where they are: one network from all of them."""
