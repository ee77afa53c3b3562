"""What a network consists of, before and after a fit."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_deep import (
    CNNAutoencoder,
    CNNClassifier,
    CNNRegressor,
    FineTuned,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    Quantized,
    RNNClassifier,
    RNNRegressor,
    TabularClassifier,
    TabularRegressor,
    summary,
)

RNG = np.random.default_rng(0)
Y = np.arange(40) % 2
TABLE = RNG.normal(size=(40, 5))
IMAGES = RNG.normal(size=(40, 6, 6, 2))
SERIES = RNG.normal(size=(40, 12, 3))
UNEQUAL = [RNG.normal(size=(9 + n % 5, 2)) for n in range(40)]
WORDS = ["ab", "abba"] * 20


class Net(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layer = nn.Linear(n_features, n_outputs)

    def forward(self, x):
        return self.layer(x)


ONE = {"max_epochs": 1, "random_state": 0}
CASES = {
    "mlp": (MLPClassifier(**ONE), TABLE),
    "mlp of pixels": (MLPClassifier(**ONE), (TABLE * 9).astype(np.uint8)),
    "mlp regressor": (MLPRegressor((4,), normalization="batch", **ONE), TABLE),
    "tabular": (TabularClassifier(**ONE), TABLE),
    "tabular regressor": (TabularRegressor(n_networks=2, **ONE), TABLE),
    "images": (CNNClassifier(spatial_dims=2, **ONE), IMAGES),
    "pixels": (CNNClassifier(**ONE), (abs(IMAGES) * 50).astype(np.uint8)),
    "resnet": (CNNRegressor(architecture="resnet", spatial_dims=1, **ONE), SERIES),
    "inception": (
        CNNClassifier(architecture="inception_time", spatial_dims=1, **ONE),
        SERIES,
    ),
    "unequal series": (
        CNNClassifier(architecture="fcn", spatial_dims=1, **ONE),
        UNEQUAL,
    ),
    "gru": (RNNClassifier(**ONE), SERIES),
    "lstm": (RNNRegressor(cell="lstm", bidirectional=True, **ONE), UNEQUAL),
    "text": (RNNClassifier(**ONE), WORDS),
    "autoencoder": (MLPAutoencoder(**ONE), TABLE),
    "image autoencoder": (CNNAutoencoder(spatial_dims=2, **ONE), IMAGES),
    "module": (ModuleClassifier(Net, **ONE), TABLE),
}
every_case = pytest.mark.parametrize(
    ("estimator", "X"), CASES.values(), ids=CASES.keys()
)


@every_case
def test_all_parameters_are_in_the_table_before_and_after_a_fit(estimator, X):
    fitted = clone(estimator).fit(X, Y)
    n = sum(p.numel() for p in fitted.module_.parameters())
    for shown in (summary(estimator, X, Y), summary(fitted, X)):
        assert sum(layer.parameters for layer in shown.layers) == n
        assert shown.n_parameters == shown.n_trainable == n == fitted.n_parameters_
    assert str(summary(estimator, X, Y)) == str(summary(fitted, X))


@pytest.mark.parametrize("name", [n for n in CASES if n != "module"])
def test_a_fitted_network_needs_no_rows(name):
    estimator, X = CASES[name]
    fitted = clone(estimator).fit(X, Y)
    n_steps = len(X[0]) if name in ("gru", "lstm", "unequal series", "text") else 1
    assert summary(fitted, n_steps=n_steps) == summary(fitted, X)


def test_a_fitted_module_of_the_user_needs_a_row():
    fitted = ModuleClassifier(Net, **ONE).fit(TABLE, Y)
    with pytest.raises(ValueError, match=r"summary\(estimator, X\)"):
        summary(fitted)


@pytest.mark.parametrize("name", ["images", "pixels", "resnet", "inception"])
def test_multiply_adds_are_what_the_network_itself_counts(name):
    estimator, X = CASES[name]
    network = summary(clone(estimator).fit(X, Y))
    own = clone(estimator).fit(X, Y).module_
    biases = sum(p.numel() for p in own.parameters() if p.ndim == 1)
    assert 0 <= own.multiply_adds - network.multiply_adds <= biases


def test_a_recurrent_layer_multiplies_once_a_step():
    fitted = RNNClassifier(**ONE).fit(SERIES, Y)
    one, ten = (summary(fitted, n_steps=n) for n in (1, 10))
    cells = [s.layers[1].multiply_adds for s in (one, ten)]
    assert cells == [3 * 64 * (3 + 64), 10 * 3 * 64 * (3 + 64)]


def test_an_embedding_multiplies_nothing():
    shown = summary(RNNClassifier(**ONE), WORDS, Y)
    layers = {layer.kind: layer for layer in shown.layers}
    assert layers["Embedding"].multiply_adds == 0 < layers["Embedding"].parameters


def test_the_networks_of_an_networks_are_shown_once():
    shown = summary(TabularClassifier(n_networks=3, **ONE), n_features=5)
    assert {layer.count for layer in shown.layers} == {3}
    alone = summary(TabularClassifier(n_networks=1, **ONE), n_features=5)
    assert shown.n_parameters == 3 * alone.n_parameters
    assert shown.multiply_adds == 3 * alone.multiply_adds
    assert shown.n_bytes == 3 * alone.n_bytes


@pytest.mark.parametrize("n_outputs", [1, 2, 3, 7])
def test_the_number_of_outputs_is_that_of_a_fit(n_outputs):
    y = np.arange(80) % max(2, n_outputs)
    X = RNG.normal(size=(80, 4))
    asked = summary(MLPClassifier(), n_features=4, n_outputs=n_outputs)
    assert str(asked) == str(summary(MLPClassifier(), X.astype(np.float32), y))
    of_regressor = summary(MLPRegressor(), n_features=4, n_outputs=n_outputs)
    assert of_regressor.layers[-1].output_shape == (n_outputs,)


def test_a_row_shape_takes_the_place_of_rows():
    asked = summary(CNNClassifier(), row_shape=(28, 28), n_outputs=10)
    assert asked.layers[-1].output_shape == (10,)
    assert asked.layers[1].output_shape[1:] == (28, 28)


def test_nothing_is_fitted_and_no_random_number_is_drawn():
    network = MLPClassifier(random_state=np.random.RandomState(0))
    before = network.random_state.get_state()[1].copy()
    pipeline = make_pipeline(StandardScaler(), network)
    summary(pipeline, TABLE, Y)
    assert not hasattr(pipeline[0], "mean_")
    assert not network.__sklearn_is_fitted__()
    assert (network.random_state.get_state()[1] == before).all()


def test_pipelines_and_searches_are_looked_into():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((4,), **ONE))
    search = GridSearchCV(pipeline, {"mlpclassifier__dropout": [0.0, 0.1]}, cv=2)
    before = summary(search, TABLE, Y)
    assert before.layers == summary(pipeline, TABLE, Y).layers
    search.fit(TABLE, Y)
    assert summary(search).layers == summary(search, TABLE).layers
    assert summary(search).n_parameters == before.n_parameters
    fitted = search.best_estimator_
    assert summary(fitted, TABLE).layers == summary(fitted).layers


def test_a_pipeline_shows_the_columns_that_its_transformers_make():
    from sklearn.preprocessing import PolynomialFeatures

    pipeline = make_pipeline(PolynomialFeatures(2), MLPRegressor((3,), **ONE))
    n = PolynomialFeatures(2).fit(TABLE).n_output_features_
    assert summary(pipeline, TABLE, Y).layers[0].parameters == 3 * n + 3
    assert summary(pipeline.fit(TABLE, Y), TABLE).layers[0].parameters == 3 * n + 3


def test_frozen_parameters_are_told_apart():
    source = MLPClassifier((6,), **ONE).fit(TABLE, Y)
    tuned = FineTuned(MLPClassifier((6,), **ONE), source).fit(TABLE, Y)
    shown = summary(tuned)
    assert shown.n_parameters == 6 * 5 + 6 + 7
    assert shown.n_trainable == 7
    assert "(36 frozen)" in str(shown)


def test_integers_of_a_quantized_network_take_a_byte():
    dense = MLPClassifier((64,), **ONE).fit(TABLE, Y)
    small = Quantized(dense).fit(TABLE, Y)
    assert summary(small).multiply_adds == summary(dense).multiply_adds
    assert summary(small).n_bytes < summary(dense).n_bytes / 2
    assert summary(small).n_trainable == 0


def test_notebooks_get_a_table_in_which_names_are_escaped():
    class Less(nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module("<b>", nn.Linear(5, 1))

        def forward(self, x):
            return getattr(self, "<b>")(x)

    page = summary(ModuleClassifier(Less, **ONE), TABLE, Y)._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("<tr>") == 2


def test_the_frame_has_a_row_for_each_layer():
    frame = summary(MLPClassifier((8,)), n_features=4).to_frame()
    assert list(frame["kind"]) == ["Linear", "ReLU", "Dropout", "Output"]
    assert frame["parameters"].sum() == 4 * 8 + 8 + 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Give rows"),
        ({"n_features": 3, "row_shape": (3,)}, "not both"),
        ({"n_features": 0}, "n_features"),
        ({"n_features": 3, "n_outputs": 0}, "n_outputs"),
        ({"row_shape": (0,)}, "row_shape"),
        ({"n_features": 3, "n_steps": True}, "n_steps"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        summary(MLPClassifier(), **arguments)


def test_what_holds_no_network_is_refused():
    with pytest.raises(TypeError, match="network of sklearn_deep"):
        summary(StandardScaler(), TABLE)
