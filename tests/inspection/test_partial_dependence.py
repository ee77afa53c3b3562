"""scikit-learn's partial dependence of ensembles for tables."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.inspection import PartialDependenceDisplay, partial_dependence

from sklearn_deep import TabularClassifier, TabularRegressor

N_ROWS = 200
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": RNG.uniform(18, 80, N_ROWS),
        "visits": RNG.poisson(3, N_ROWS),
        "town": RNG.choice(["Bonn", "Ulm", "Trier"], N_ROWS),
        "grade": pd.Categorical(RNG.choice(["low", "high"], N_ROWS)),
        "member": RNG.random(N_ROWS) > 0.5,
        "since": pd.Timestamp("2020-01-01")
        + pd.to_timedelta(RNG.integers(0, 1500, N_ROWS), unit="D"),
        "size": np.where(np.arange(N_ROWS) % 7, RNG.normal(size=N_ROWS), np.nan),
    }
)
NUMBERS = (FRAME["age"] / 20 + 2 * (FRAME["town"] == "Ulm")).to_numpy()
SMALL = {
    "n_networks": 2,
    "hidden_layer_sizes": 16,
    "max_epochs": 30,
    "random_state": 0,
}
GRIDS = {
    "age": np.array([20.0, 50.0, 80.0]),
    "town": np.array(["Bonn", "Trier", "Ulm"], object),
    "grade": np.array(["high", "low"], object),
    "member": np.array([False, True]),
}
CATEGORIES = ["town", "grade", "member"]


def predicted(model, X):
    if isinstance(model, TabularRegressor):
        return model.predict(X)
    return model.predict_proba(X)[:, 1]


@pytest.fixture(scope="module", params=[TabularClassifier, TabularRegressor])
def model(request):
    is_classifier = request.param is TabularClassifier
    return request.param(**SMALL).fit(FRAME, NUMBERS > 3 if is_classifier else NUMBERS)


@pytest.mark.parametrize("name", GRIDS)
def test_it_is_the_mean_prediction_for_each_number_and_each_category(name, model):
    found = partial_dependence(
        model,
        FRAME,
        [name],
        categorical_features=CATEGORIES,
        percentiles=(0, 1),
        grid_resolution=3,
    )
    (grid,) = found["grid_values"]
    expected = [predicted(model, with_value(name, v)).mean() for v in grid]
    assert_allclose(found["average"][0], expected, rtol=1e-5)
    if name != "age":
        assert list(grid) == list(GRIDS[name])


def with_value(name, value):
    return FRAME.assign(**{name: pd.Series([value] * N_ROWS, dtype=FRAME[name].dtype)})


def test_what_tells_the_target_has_a_dependence_on_it(model):
    numbers = partial_dependence(model, FRAME, ["age"])["average"][0]
    towns = partial_dependence(model, FRAME, ["town"], categorical_features=["town"])
    bonn, trier, ulm = towns["average"][0]
    assert numbers[-1] - numbers[0] > 0.2
    assert ulm - max(bonn, trier) > 0.2


def test_displays_show_numbers_categories_and_pairs(model):
    display = PartialDependenceDisplay.from_estimator(
        model,
        FRAME.astype({"visits": float}),
        ["age", "visits", "town", ("age", "visits"), ("town", "grade")],
        categorical_features=["town", "grade"],
        grid_resolution=4,
    )
    shapes = [found["average"].shape[1:] for found in display.pd_results]
    assert shapes == [(4,), (4,), (3,), (4, 4), (3, 2)]
