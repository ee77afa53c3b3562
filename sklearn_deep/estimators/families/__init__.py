"""The families of networks that users know, one file each, and what they share."""
