"""One version of a model, ready to answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._outputs import check_no_refusals
from sklearn_deep.serving._session import OnnxSession
from sklearn_deep.serving.server._cost import Cost, measure
from sklearn_deep.serving.server._errors import (
    BadRequestError,
    BrokenModelError,
    RefusedRowsError,
)
from sklearn_deep.serving.server._prediction import Prediction, predict
from sklearn_deep.serving.server._specs import (
    OutputSpec,
    TensorSpec,
    input_specs,
    output_specs,
)


@dataclass(frozen=True)
class Served:
    """One version of a model.

    Parameters
    ----------
    name, version : str
    path : Path
        The file.
    checksum : str
        SHA-256 of the file, in hexadecimal digits.
    session : OnnxSession
    inputs : tuple of TensorSpec
    outputs : tuple of OutputSpec
    cost : Cost
        Seconds of a computation.
    """

    name: str
    version: str
    path: Path
    checksum: str
    session: OnnxSession
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[OutputSpec, ...]
    cost: Cost

    @classmethod
    def make(
        cls, name: str, version: str, path: Path, checksum: str, session: OnnxSession
    ) -> "Served":
        """Describe an opened file."""
        outputs = output_specs(session.session, session.metadata)
        inputs = input_specs(session.session)
        cost = measure(session, inputs)
        return cls(name, version, path, checksum, session, inputs, outputs, cost)

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of the file."""
        return self.session.metadata

    @cached_property
    def inputs_by_name(self) -> dict[str, TensorSpec]:
        """Inputs of the graph."""
        return {spec.name: spec for spec in self.inputs}

    @cached_property
    def _by_name(self) -> dict[str, OutputSpec]:
        return {spec.name: spec for spec in self.outputs}

    def select_outputs(self, names: Sequence[str] | None) -> tuple[OutputSpec, ...]:
        """Outputs of these names; None selects all.

        Raises
        ------
        BadRequestError
            For a name that the model does not have.
        """
        if names is None:
            return self.outputs
        unknown = [name for name in names if name not in self._by_name]
        if unknown:
            raise BadRequestError(
                f"The model {self.name!r} has no output {unknown[0]!r:.100}; it has"
                f" {', '.join(self._by_name)}."
            )
        return tuple(self._by_name[name] for name in names)

    def infer(
        self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Compute outputs from the input arrays of the graph.

        Raises
        ------
        RefusedRowsError
            For rows that the exported estimator refuses.
        """
        selected = self.select_outputs(outputs)
        computed, refused = self.compute(feeds, selected)
        self.check_refused(refused)
        return computed

    def compute(
        self,
        feeds: Mapping[str, np.ndarray],
        selected: Sequence[OutputSpec],
        options: Any = None,
    ) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Outputs by name, and the rows that the exported estimator refuses."""
        sources = list(dict.fromkeys(spec.source for spec in selected))
        try:
            found, refused = self.session.run_feeds(dict(feeds), sources, options)
        except OnnxFileError as error:
            raise BrokenModelError(str(error)) from error
        by_source = dict(zip(sources, found, strict=True))
        return {
            spec.name: spec.select(by_source[spec.source]) for spec in selected
        }, refused

    def check_refused(self, refused: np.ndarray | None) -> None:
        """Raise if any row is marked as refused."""
        if refused is not None and refused.any():
            try:
                check_no_refusals(refused, self.metadata["estimator"])
            except ValueError as error:
                raise RefusedRowsError(str(error)) from error

    def predict(self, X: Any) -> Prediction:
        """Predict rows like those of the fit.

        Raises
        ------
        ValueError, TypeError
            For rows that the exported estimator refuses; the message says why.
        """
        return predict(self.session, X)
