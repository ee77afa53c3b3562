"""Sources of chunks: more rows than memory holds, read in parts and mixed in a buffer."""
