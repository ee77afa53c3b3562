"""Versions of the code that decides the result of a fit."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import scipy
import sklearn
import torch

from sklearn_deep._version import __version__

_PACKAGE = Path(__file__).parents[2]

# The folders of this package whose code decides what a job comes to.
_DECIDING = ("augmentation", "data", "nn", "private", "training")


@cache
def versions() -> tuple[str, ...]:
    """Versions of the libraries, and of this package by its code as well.

    A clone of this package has one version number over many changes.
    """
    libraries = torch, np, scipy, sklearn
    return (__version__, _digest_of_code(), *(each.__version__ for each in libraries))


def _digest_of_code() -> str:
    digest = hashlib.sha256()
    for folder in _DECIDING:
        for path in sorted((_PACKAGE / folder).rglob("*.py")):
            digest.update(path.relative_to(_PACKAGE).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
