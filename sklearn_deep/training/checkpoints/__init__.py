"""States of unfinished fits on disk, from which they continue to the same bits."""
