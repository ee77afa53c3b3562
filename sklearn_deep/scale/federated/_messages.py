"""What server and owners write to each other, beside the arrays of a network.

Everything is JSON text or a few numbers: ``_wire`` makes it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sklearn_deep.estimators.core._fit import check_targets
from sklearn_deep.scale.federated._agreement import Agreement
from sklearn_deep.scale.federated._owner import Owner
from sklearn_deep.scale.federated._plan import Plan
from sklearn_deep.scale.federated._schema import Schema
from sklearn_deep.scale.federated._statistics import Statistics
from sklearn_deep.scale.federated._supported import network_of
from sklearn_deep.scale.federated._targets import target_statistics
from sklearn_deep.scale.federated._transformers import (
    Known,
    head_of,
    next_statistics,
)
from sklearn_deep.scale.federated._wire import from_bytes, from_text, to_bytes, to_text


@dataclass(frozen=True)
class Terms:
    """What all owners have agreed on, and how they train: the same for each.

    Attributes
    ----------
    schema : Schema
    known : mapping of str to Statistics
    targets : Statistics
    plan : Plan
    order : tuple of int
        Owners by number: where one stands gives it its seed.
    equal : bool
        Whether owners count alike, whatever their rows.
    """

    schema: Schema
    known: Known
    targets: Statistics
    plan: Plan
    order: tuple[int, ...]
    equal: bool = False

    def pack(self) -> bytes:
        """The terms as compressed text."""
        plain = {"schema": self.schema.plain(), "plan": asdict(self.plan)}
        return to_bytes(to_text({**vars(self), **plain}))

    @classmethod
    def unpack(cls, data: bytes) -> "Terms":
        """Invert ``pack``."""
        fields = from_text(from_bytes(data))
        fields["schema"], fields["plan"] = (
            Schema(**fields["schema"]),
            Plan(**fields["plan"]),
        )
        return cls(**{**fields, "order": tuple(fields["order"])})

    def agreement(self, estimator: Any) -> Agreement:
        """The agreement that follows from the terms."""
        seed = self.plan.seed
        return Agreement.of(estimator, self.schema, self.known, self.targets, seed)


@dataclass(frozen=True)
class LoadedRows:
    """What ``load`` of an owner gave, checked.

    Attributes
    ----------
    X : rows
    y : ndarray of shape (n_rows, ...)
    weight : ndarray or None
    labels : ndarray or None
        Labels that the owner's rows have.
    """

    X: Any
    y: np.ndarray
    weight: np.ndarray | None
    labels: np.ndarray | None

    @classmethod
    def of(cls, estimator: Any, loaded: Any) -> "LoadedRows":
        """Check rows.

        Raises
        ------
        TypeError
            If ``load`` gave neither (X, y) nor (X, y, sample_weight).
        """
        if not isinstance(loaded, tuple) or len(loaded) not in (2, 3):
            raise TypeError(
                "load of client_app must return (X, y) or (X, y, sample_weight); got"
                f" {type(loaded).__name__}."
            )
        X, y, *weight = loaded
        y, labels = check_targets(network_of(estimator), y)
        return cls(X, y, np.asarray(weight[0]) if weight else None, labels)

    def introduction(self, estimator: Any, name: str) -> str:
        """The first answer: form of the rows, statistics of targets and first steps."""
        targets = target_statistics(self.y, self.weight, self.labels)
        schema = Schema.of(self.X)
        first = next_statistics(head_of(estimator), schema, {}, self.X)
        answer = {"name": name, "schema": schema.plain(), "targets": targets}
        return to_text({**answer, "statistics": first})

    def statistics(self, estimator: Any, question: Mapping[str, Any]) -> str:
        """The answer to a question about the next transformers."""
        schema, known = Schema(**question["schema"]), question["known"]
        return to_text(next_statistics(head_of(estimator), schema, known, self.X))

    def owner(self, estimator: Any, terms: Terms, k: int) -> Owner:
        """The owner, ready for training."""
        agreement = terms.agreement(estimator)
        return Owner.of(agreement, terms.plan, k, self.X, self.y, self.weight)
