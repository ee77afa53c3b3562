"""``python -m sklearn_deep describe FILE``."""

import sys
from importlib import import_module

if __name__ == "__main__":
    sys.exit(import_module(f"{__package__}.files._describe").main())
