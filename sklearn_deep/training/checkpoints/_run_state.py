"""The state of one fit between two epochs."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class RunState:
    """All that a fit needs, beside its job, to continue after an epoch.

    Attributes
    ----------
    numbers : dict of str
        Numbers, strings, booleans, None, and lists and dicts (with keys of type str) of
        them; tuples come back as lists. Floats come back to the same bits.
    arrays : dict of str to ndarray
        Of numbers or booleans, by name.
    """

    numbers: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
