"""Rows as people write them, checked by the fields of a file's metadata."""
