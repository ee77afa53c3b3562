"""Transformers fitted by statistics of owners are those of all rows together."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from sklearn_deep import FederatedError
from sklearn_deep.scale.federated._schema import Schema
from sklearn_deep.scale.federated._transformers import (
    check_head,
    fitted_head,
    merge_all,
    next_statistics,
)
from sklearn_deep.scale.federated._wire import from_text, to_text

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(60, 3)) * [1, 10, 1e-3] + [5, 0, -2]
NUMBERS[:, 2] = np.where(np.arange(60) % 7 == 0, np.nan, NUMBERS[:, 2])
CODES = RNG.integers(0, 5, size=(60, 2))
FRAME = pd.DataFrame(
    {
        "age": RNG.integers(20, 60, 60),
        "pay": np.where(np.arange(60) % 9 == 0, np.nan, RNG.normal(size=60)),
        "town": RNG.choice(["Bonn", "Kiel", "Ulm"], 60).astype(object),
        "open": RNG.random(60) > 0.5,
    }
)
FRAME.loc[::11, "town"] = np.nan
NAMED = ColumnTransformer(
    [
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "pay"]),
        (
            "words",
            make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
            ["town"],
        ),
    ],
    remainder="passthrough",
)
BY_KIND = ColumnTransformer(
    [
        (
            "words",
            OneHotEncoder(drop="first"),
            make_column_selector(dtype_exclude="number"),
        ),
        ("age", MinMaxScaler(), [0]),
        ("left out", "drop", [1]),
    ],
    sparse_threshold=0,
)
STEPS = {
    "standard": (StandardScaler(), NUMBERS),
    "without mean": (StandardScaler(with_mean=False), NUMBERS),
    "without spread": (StandardScaler(with_std=False), NUMBERS),
    "sparse": (StandardScaler(with_mean=False), sp.csr_matrix(CODES.astype(float))),
    "constant": (StandardScaler(), np.full((60, 1), 3.3)),
    "extremes": (MinMaxScaler(), NUMBERS),
    "largest": (MaxAbsScaler(), NUMBERS),
    "imputer": (SimpleImputer(), NUMBERS),
    "constant imputer": (SimpleImputer(strategy="constant", fill_value=-1), NUMBERS),
    "most frequent": (SimpleImputer(strategy="most_frequent"), CODES),
    "one-hot": (OneHotEncoder(), CODES),
    "one-hot of a frame": (OneHotEncoder(), FRAME),
    "ordinal": (OrdinalEncoder(), FRAME[["town", "open"]]),
    "chain": (
        make_pipeline(SimpleImputer(), MinMaxScaler(), StandardScaler()),
        NUMBERS,
    ),
    "learns nothing": (make_pipeline(Normalizer(), FunctionTransformer()), CODES),
    "named columns": (NAMED, FRAME),
    "columns by kind": (BY_KIND, FRAME),
    "behind columns": (make_pipeline(NAMED, StandardScaler(with_mean=False)), FRAME),
}


def agreed(head, parts):
    """What owners fit, with all statistics as text on their way."""
    schema = Schema.merged([Schema.of(X) for X in parts])
    known = {}
    while True:
        asked = [
            from_text(to_text(next_statistics(head, schema, known, X))) for X in parts
        ]
        if not asked[0]:
            return fitted_head(head, schema, known)
        known = {**known, **merge_all(asked)}


def owners_of(X, cuts=(7, 8, 40)):
    rows = np.split(np.arange(X.shape[0]), cuts)
    return [X.iloc[own] if hasattr(X, "iloc") else X[own] for own in rows]


def dense(X):
    return X.toarray() if sp.issparse(X) else np.asarray(X, dtype=float)


@pytest.mark.parametrize(("step", "X"), STEPS.values(), ids=STEPS)
def test_a_step_transforms_as_if_it_were_fitted_to_all_rows(step, X):
    pooled = make_pipeline(step).fit(X)
    together = agreed(make_pipeline(step), owners_of(X))
    assert_allclose(
        dense(together.transform(X)), dense(pooled.transform(X)), rtol=1e-11, atol=1e-12
    )
    assert together.n_features_in_ == pooled.n_features_in_


@pytest.mark.parametrize(
    "name", ["standard", "extremes", "largest", "imputer", "chain"]
)
def test_attributes_are_those_of_all_rows(name):
    step, X = STEPS[name]
    pooled = make_pipeline(step).fit(X)
    together = agreed(make_pipeline(step), owners_of(X))
    for one, other in zip(pooled, together, strict=True):
        learnt = {k for k in vars(one) if k.endswith("_") and not k.startswith("_")}
        assert learnt <= set(vars(other))
        for attribute in learnt:
            value = getattr(one, attribute)
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                assert_allclose(getattr(other, attribute), value, rtol=1e-11)


def test_names_and_categories_of_frames_are_kept():
    together = agreed(make_pipeline(NAMED), owners_of(FRAME))
    pooled = make_pipeline(NAMED).fit(FRAME)
    assert_array_equal(together.feature_names_in_, FRAME.columns)
    assert_array_equal(together.get_feature_names_out(), pooled.get_feature_names_out())
    assert str(together[0]) == str(NAMED)
    assert isinstance(together[0].named_transformers_["numbers"][0], SimpleImputer)


def test_a_step_that_was_fitted_elsewhere_is_taken_as_it_is():
    pca = PCA(2).fit(CODES)
    head = make_pipeline(FrozenEstimator(pca), StandardScaler())
    together = agreed(head, owners_of(CODES))
    assert together[0].estimator is pca
    expected = StandardScaler().fit_transform(pca.transform(CODES))
    assert_allclose(together.transform(CODES), expected, atol=1e-12)


def test_a_column_that_one_owner_lacks_values_of_is_that_of_the_others():
    X = NUMBERS.copy()
    X[:7, 1] = np.nan
    together = agreed(make_pipeline(StandardScaler()), owners_of(X))
    assert_allclose(together[0].mean_, StandardScaler().fit(X).mean_)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (PCA(), "'pca' (PCA) cannot be fitted"),
        (SimpleImputer(strategy="median"), "set strategy='mean'"),
        (SimpleImputer(add_indicator=True), "add_indicator=False"),
        (OneHotEncoder(min_frequency=3), "min_frequency=None"),
        (
            ColumnTransformer([("few", PCA(), [0, 1])]),
            "'columntransformer.few' (PCA) cannot be fitted",
        ),
        (make_pipeline(StandardScaler(), NAMED), "is not the first"),
    ],
    ids=str,
)
def test_a_step_that_cannot_be_shared_is_named_with_the_fix(step, words):
    with pytest.raises(FederatedError) as caught:
        check_head(make_pipeline(step))
    assert words in str(caught.value)


def test_owners_with_other_columns_are_named():
    parts = [FRAME, FRAME[["pay", "age", "town", "open"]]]
    with pytest.raises(FederatedError, match=r"Owner 1 has rows of .*'pay', 'age'"):
        Schema.merged([Schema.of(X) for X in parts])


def test_categories_of_several_types_are_an_error_that_says_so():
    head = make_pipeline(OrdinalEncoder())
    parts = [np.array([["a"], ["b"]], object), np.array([[1], [2]], object)]
    with pytest.raises(FederatedError, match=r"several types: \['int', 'str'\]"):
        agreed(head, parts)
