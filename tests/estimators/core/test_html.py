"""What a notebook shows."""

import pytest
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from sklearn_deep import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.oldest


@pytest.mark.parametrize(
    "network", [MLPClassifier(), MLPRegressor((7, 5), dropout=0.5)]
)
def test_an_unfitted_network_shows_its_arguments_only(network):
    page = network._repr_html_()
    assert type(network).__name__ in page
    assert "Network:" not in page


def test_a_fitted_network_shows_its_layers_and_how_training_went(iris):
    X, y = iris
    network = MLPClassifier((7, 5), dropout=0.25, activation="silu", max_epochs=3).fit(
        X, y
    )
    page = network._repr_html_()
    assert f"{4 * 7 + 7 + 7 * 5 + 5 + 5 * 3 + 3} parameters" in page
    assert "3 epochs" in page
    assert "max_epochs" in page
    table = page[page.index("Network:") :]
    assert table.count("<td") == 4 * 7  # 3 linear layers, 2 activations, 2 dropouts
    for words in ("Linear", "SiLU", "rate=0.25", "in_features=4, out_features=7"):
        assert words in table


def test_the_mime_bundle_has_a_plain_form_too(iris):
    X, y = iris
    network = MLPClassifier((4,), max_epochs=1).fit(X, y)
    bundle = network._repr_mimebundle_()
    assert bundle["text/plain"] == repr(network)
    assert "Network:" in bundle["text/html"]


@pytest.mark.parametrize("fitted", [False, True])
def test_there_is_no_html_where_scikit_learn_is_set_to_show_text(fitted, iris):
    network = MLPClassifier((4,), max_epochs=1)
    if fitted:
        network.fit(*iris)
    with config_context(display="text"):
        assert not hasattr(network, "_repr_html_")
        assert network._repr_mimebundle_() == {"text/plain": repr(network)}


def test_a_pipeline_around_a_network_is_drawn_by_scikit_learn(iris):
    X, y = iris
    pipe = make_pipeline(StandardScaler(), MLPClassifier((4,), max_epochs=1)).fit(X, y)
    page = estimator_html_repr(pipe)
    assert "MLPClassifier" in page
    assert "StandardScaler" in page


def test_the_plain_form_names_only_what_was_changed():
    assert repr(MLPClassifier(dropout=0.5)) == "MLPClassifier(dropout=0.5)"
