"""The transformers before the network, fitted chunk by chunk."""

from collections.abc import Callable, Sequence
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from sklearn_deep.exceptions import InvalidParameterError

Step = tuple[str, Any]

_SCALE = "StandardScaler, MinMaxScaler and MaxAbsScaler can"
_TABLE = (
    "TabularClassifier and TabularRegressor encode text, categories and missing values"
    " themselves"
)

# What to take in place of a transformer that has to see all rows at once.
_INSTEAD = {
    "ColumnTransformer": _TABLE,
    "KBinsDiscretizer": "numeric_embedding='piecewise_linear' of the Tabular estimators"
    " has bins too",
    "KNNImputer": _TABLE,
    "OneHotEncoder": _TABLE,
    "OrdinalEncoder": _TABLE,
    "PCA": "IncrementalPCA can",
    "PowerTransformer": _SCALE,
    "QuantileTransformer": _SCALE,
    "RobustScaler": _SCALE,
    "SimpleImputer": _TABLE,
    "TargetEncoder": _TABLE,
    "TfidfVectorizer": "HashingVectorizer needs no fit",
    "CountVectorizer": "HashingVectorizer needs no fit",
    "TruncatedSVD": "IncrementalPCA can",
}


def network_of(estimator: Any) -> Any:
    """The last step of a Pipeline, or the estimator itself."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def steps_of(estimator: Any) -> list[Step]:
    """The transformers before the network."""
    if not isinstance(estimator, Pipeline):
        return []
    return [
        (name, step)
        for name, step in estimator.steps[:-1]
        if step is not None and step != "passthrough"
    ]


def check_steps(owner: str, steps: Sequence[Step]) -> None:
    """Raise for a transformer that cannot be fitted chunk by chunk.

    Raises
    ------
    InvalidParameterError
        Names the step and what to take instead.
    """
    for name, step in steps:
        if needs_no_fit(step) or hasattr(step, "partial_fit"):
            continue
        kind = type(step).__name__
        instead = _INSTEAD.get(kind)
        raise InvalidParameterError(
            f"The step {name!r} of the Pipeline in {owner} is a {kind}, which has no"
            " partial_fit: it needs all rows at once."
            f" {f'{instead}. ' if instead else ''}Or fit it on a sample of the rows and"
            f" pass it as FrozenEstimator({kind}(...).fit(sample))."
        )


def needs_no_fit(step: Any) -> bool:
    """Whether a transformer is fitted already, or learns nothing."""
    return isinstance(step, FrozenEstimator) or not get_tags(step).requires_fit


def chain(steps: Sequence[Step]) -> Callable[[Any], Any]:
    """What some fitted transformers do, one after the other."""

    def transform(X: Any) -> Any:
        for _, step in steps:
            X = step.transform(X)
        return X

    return transform


def to_learn(steps: Sequence[Step]) -> list[int]:
    """Places of the transformers that have to be fitted."""
    return [i for i, (_, step) in enumerate(steps) if not needs_no_fit(step)]


def fit_stateless(steps: Sequence[Step], X: Any, y: Any) -> Any:
    """Fit transformers that learn no more than names and numbers of columns."""
    for _, step in steps:
        if not isinstance(step, FrozenEstimator):
            step.fit(X, y)
        X = step.transform(X)
    return X


def fit_whole(steps: Sequence[Step], X: Any, y: Any) -> Any:
    """Fit transformers on rows that are all in memory, and transform these."""
    for _, step in steps:
        X = step.fit(X, y).transform(X)
    return X


def learn(step: BaseEstimator, X: Any, y: Any) -> None:
    """Fit a transformer further."""
    step.partial_fit(X, y)
