"""Model files: written whole or not at all, checked before anything in them is read."""
