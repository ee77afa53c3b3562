"""What is tried: the model as it is, sliced, quantized, and sliced then quantized."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn_deep.compression._quantize import Quantized
from sklearn_deep.compression._slice import Sliced
from sklearn_deep.deployment.variants._replace import with_changed_network

DENSE = "dense"


@dataclass(frozen=True)
class Candidate:
    """A compression of a fitted model, made from another candidate.

    Attributes
    ----------
    name : str
        Name of the variant.
    source : str or None
        Name of the candidate that it compresses; None for the model as it is.
    compress : callable
        Gives the compression around a fitted network, itself not fitted.
    """

    name: str
    source: str | None
    compress: Callable[[Any], Any]

    def make(self, model: Any, X: Any, y: Any) -> Any:
        """Compress a fitted model; rows are for calibration and fine-tuning."""
        if self.source is None:
            return model
        return with_changed_network(
            model, X, y, lambda network, X, y: self.compress(network).fit(X, y)
        )


def candidates(
    keep: Sequence[float], bits: Sequence[int], fine_tune_epochs: int
) -> list[Candidate]:
    """List the candidates, each after the one that it is made from."""
    sources = [Candidate(DENSE, None, lambda network: network)]
    sources += [_sliced(share, fine_tune_epochs) for share in keep]
    return [*sources, *(_quantized(source, b) for source in sources for b in bits)]


def _sliced(share: float, epochs: int) -> Candidate:
    def compress(network: Any) -> Any:
        return Sliced(network, share, fine_tune_epochs=epochs, prefit=True)

    return Candidate(f"sliced-{share:g}", DENSE, compress)


def _quantized(source: Candidate, bits: int) -> Candidate:
    begin = "" if source.name == DENSE else f"{source.name}-"
    return Candidate(
        f"{begin}quantized-{bits}",
        source.name,
        lambda network: Quantized(network, bits, prefit=True),
    )
