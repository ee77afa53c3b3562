"""What keeps a network from a better score, and what to change."""
