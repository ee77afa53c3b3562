"""Files of one model in several sizes, and which of them is the best within a budget.

``sklearn_deep.variants`` writes a folder of them, with an index; a server reads it.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sklearn_deep.exceptions import OnnxFileError

INDEX = "variants.json"
_FORMAT = 1


@dataclass(frozen=True)
class Variant:
    """One file, and what was measured of it.

    Attributes
    ----------
    name, file : str
        Name of the variant, and of its file in the folder.
    bytes : int
        Size of the file.
    microseconds : float
        Time per row on the machine that wrote the folder.
    score : float
        Score on held-out rows.
    sha256 : str
        Checksum of the whole file, in hexadecimal digits.
    """

    name: str
    file: str
    bytes: int
    microseconds: float
    score: float
    sha256: str


# How far a variant is beyond a limit: at most 1 within it, by kind of limit.
_EXCESS: dict[str, Callable[[Variant, float], float]] = {
    "bytes": lambda v, limit: v.bytes / limit,
    "microseconds": lambda v, limit: v.microseconds / limit,
    "score": lambda v, limit: 1.0 if v.score >= limit else 1.0 + limit - v.score,
}
LIMITS = tuple(_EXCESS)


def within(variants: Iterable[Variant], budget: Mapping[str, float]) -> list[Variant]:
    """Variants that meet every limit of a budget."""
    return [v for v in variants if excess(v, budget) <= 1]


def excess(variant: Variant, budget: Mapping[str, float]) -> float:
    """The largest ratio by which a variant is beyond a limit; at most 1 if it meets all."""
    return max((_EXCESS[kind](variant, n) for kind, n in budget.items()), default=0.0)


def choose(variants: Iterable[Variant], budget: Mapping[str, float]) -> Variant | None:
    """Choose the best variant within a budget; None if there is none.

    The best one has the highest score. If the budget limits nothing but the score, it is
    the smallest file.
    """
    found = within(variants, budget)
    key = _smallest if set(budget) == {"score"} else _highest
    return min(found, key=key, default=None)


def nearest(variants: Sequence[Variant], budget: Mapping[str, float]) -> Variant:
    """The variant that is least beyond the limits of a budget that none meets."""
    return min(variants, key=lambda v: (excess(v, budget), _smallest(v)))


def on_front(variants: Sequence[Variant]) -> list[bool]:
    """Tell which variants no other one beats in size, time and score (Pareto front)."""
    return [not any(_beats(other, v) for other in variants) for v in variants]


def _beats(other: Variant, variant: Variant) -> bool:
    theirs, its = _costs(other), _costs(variant)
    return theirs != its and all(a <= b for a, b in zip(theirs, its, strict=True))


def _costs(variant: Variant) -> tuple[float, float, float]:
    return variant.bytes, variant.microseconds, -variant.score


def _smallest(variant: Variant) -> tuple[float, ...]:
    return variant.bytes, variant.microseconds, -variant.score


def _highest(variant: Variant) -> tuple[float, ...]:
    return -variant.score, variant.bytes, variant.microseconds


_SIGNS = {"bytes": "<=", "microseconds": "<=", "score": ">="}


def described(budget: Mapping[str, float]) -> str:
    """A budget as text, such as "bytes <= 50,000"."""
    return ", ".join(
        f"{kind} {_SIGNS[kind]} {shown(value)}" for kind, value in budget.items()
    )


def shown(value: float) -> str:
    """A number as text."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


# The index of a folder


def write_index(variants: Sequence[Variant], about: Mapping[str, Any]) -> bytes:
    """Serialize the index of a folder; ``about`` says how the variants were measured."""
    content = {"format": _FORMAT, **about, "variants": [asdict(v) for v in variants]}
    return json.dumps(content, indent=2).encode()


def read_index(folder: Path) -> tuple[list[Variant], dict[str, Any]]:
    """Read and check the index of a folder.

    Returns
    -------
    variants : list of Variant
    about : dict
        How the variants were measured.

    Raises
    ------
    OnnxFileError
        If the index is damaged, or names a file that is not in the folder as it was.
    """
    try:
        content = json.loads((folder / INDEX).read_bytes())
        about = {k: v for k, v in content.items() if k not in ("format", "variants")}
        variants = [Variant(**_typed(entry)) for entry in content["variants"]]
        known = content["format"] == _FORMAT and bool(variants)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(folder, "it is not an index of variants") from error
    if not known:
        raise _damaged(folder, "it lists no variants, or has another format")
    for variant in variants:
        _check_file(folder, variant)
    return variants, about


_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "file": (str,),
    "bytes": (int,),
    "microseconds": (int, float),
    "score": (int, float),
    "sha256": (str,),
}


def _typed(entry: dict[str, Any]) -> dict[str, Any]:
    found = {name: entry[name] for name in _TYPES}
    for name, value in found.items():
        is_number = isinstance(value, (int, float))
        wrong = isinstance(value, bool) or not isinstance(value, _TYPES[name])
        if wrong or (is_number and not math.isfinite(value)):
            raise ValueError(f"{name} is {value!r}")
    return found


def _check_file(folder: Path, variant: Variant) -> None:
    name = variant.file
    plain = name == Path(name).name and "\\" not in name and name.endswith(".onnx")
    if not plain:
        raise _damaged(folder, f"{name!r} is not the name of a file in this folder")
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise _damaged(folder, f"the file {name!r} is missing")
    if path.stat().st_size != variant.bytes:
        raise _damaged(folder, f"the file {name!r} has another size")


def _damaged(folder: Path, reason: str) -> OnnxFileError:
    return OnnxFileError(
        f"{str(folder / INDEX)!r} cannot be used: {reason}. Write the folder again with"
        " sklearn_deep.variants."
    )
