"""The public families of networks, one file each, and their base classes."""
