"""Warnings of a fit that could be better: each where it should be, once, and alone."""

import pickle
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from sklearn_deep import (
    CNNClassifier,
    DeadUnitsWarning,
    FitWarning,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    NotConvergedWarning,
    RNNClassifier,
    SklearnDeepWarning,
    SmallValidationWarning,
    TabularClassifier,
    UnscaledFeaturesWarning,
)

KINDS = [
    DeadUnitsWarning,
    NotConvergedWarning,
    SmallValidationWarning,
    UnscaledFeaturesWarning,
]


def table(n=300, d=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


def caught(call):
    """Fit warnings of a call, as (class, text)."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", FitWarning)
        call()
    return [(w.category, str(w.message)) for w in found]


def kinds(network, X, y, *args):
    return [kind for kind, _ in caught(lambda: network.fit(X, y, *args))]


DEADLY = {"hidden_layer_sizes": (32, 32), "learning_rate": 1.0}


def net(**params):
    params = {
        "hidden_layer_sizes": (32,),
        "max_epochs": 30,
        "random_state": 0,
        **params,
    }
    return MLPClassifier(**params)


def faulty():
    """For each kind: a fit that gives it, and the parameter or word that mends it."""
    X, y = table()
    return {
        UnscaledFeaturesWarning: (net(), X * 100, y, "StandardScaler"),
        NotConvergedWarning: (net(max_epochs=2), X, y, "max_epochs"),
        SmallValidationWarning: (
            net(early_stopping=True, validation_fraction=0.02),
            X,
            y,
            "validation_fraction",
        ),
        DeadUnitsWarning: (
            net(**DEADLY),
            X,
            y,
            "learning_rate",
        ),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_named_once_with_its_fix(kind):
    network, X, y, fix = faulty()[kind]
    texts = [text for found, text in caught(lambda: network.fit(X, y)) if found is kind]
    assert len(texts) == 1
    assert texts[0].startswith("MLPClassifier: ")
    assert fix in texts[0]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_silenced_alone(kind):
    network, X, y, _ = faulty()[kind]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", FitWarning)
        warnings.simplefilter("ignore", kind)
        network.fit(X, y)
    assert kind not in [w.category for w in found]


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_warnings_of_a_fit_that_pickle(kind):
    assert issubclass(kind, FitWarning)
    assert issubclass(kind, SklearnDeepWarning)
    assert pickle.loads(pickle.dumps(kind)) is kind


def test_a_short_fit_is_scikit_learns_convergence_warning():
    assert issubclass(NotConvergedWarning, ConvergenceWarning)
    with pytest.warns(ConvergenceWarning, match="max_epochs=2"):
        net(max_epochs=2).fit(*table())


@pytest.mark.parametrize("network", [net(), net(early_stopping=True)])
def test_a_sound_fit_is_silent(network):
    assert kinds(network, *table()) == []


def test_a_sound_regression_is_silent():
    X, _ = table()
    assert kinds(MLPRegressor(random_state=0), X, X[:, 0] * 100 + 5) == []


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "plateau"])
def test_the_schedule_does_not_decide_about_convergence(schedule):
    X, y = table(600)
    params = {"learning_rate_schedule": schedule, "n_iter_no_change": None}
    assert kinds(net(max_epochs=60, early_stopping=False, **params), X, y) == []
    short = net(max_epochs=2, **params)
    assert kinds(short, X, y) == [NotConvergedWarning]


def test_a_best_epoch_long_ago_has_converged():
    X, _ = table(200)
    y = np.random.default_rng(1).integers(0, 2, 200)  # learnt by heart only
    network = net(max_epochs=20, early_stopping=True, validation_fraction=0.3)
    assert NotConvergedWarning not in kinds(network, X, y)
    assert network.best_epoch_ < 16


def test_a_fit_of_few_rows_is_not_judged():
    X, y = table(29)
    assert kinds(net(max_epochs=2), X * 100, y) == []


@pytest.mark.parametrize("continues", ["partial_fit", "warm_start"])
def test_fits_in_pieces_are_not_judged(continues):
    X, y = table()
    if continues == "partial_fit":
        call = net().partial_fit
    else:
        call = net(max_epochs=1, warm_start=True).fit
    assert caught(lambda: call(X * 100, y)) == []


# -- unscaled features -------------------------------------------------------------------

UNSCALED = {
    "all large": lambda X: X * 30,
    "all far from 0": lambda X: X + 10,
    "all tiny": lambda X: X * 1e-3,
    "one large": lambda X: np.column_stack([X[:, :1] * 20, X[:, 1:]]),
    "one far from 0": lambda X: np.column_stack([X[:, :1] + 2000, X[:, 1:]]),
}
SCALED = {
    "standard": lambda X: X,
    "min and max": lambda X: (X - X.min(0)) / np.ptp(X, axis=0),
    "indicators": lambda X: (X > 1.5).astype(np.float32),
    "counts": lambda X: np.floor(np.abs(3 * X)),
    "slightly off": lambda X: 2 * X + 1,
}


@pytest.mark.parametrize("name", UNSCALED)
def test_columns_of_other_sizes_warn(name):
    X, y = table()
    found = kinds(net(), UNSCALED[name](X).astype(np.float32), y)
    assert UnscaledFeaturesWarning in found


@pytest.mark.parametrize("name", SCALED)
def test_columns_of_about_one_size_are_silent(name):
    X, y = table()
    assert UnscaledFeaturesWarning not in kinds(net(), SCALED[name](X), y)


def test_the_message_names_the_columns():
    pandas = pytest.importorskip("pandas")
    X, y = table()
    X[:, 2] *= 500
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    with pytest.warns(UnscaledFeaturesWarning, match="column 'c' of X is far"):
        net().fit(frame, y)
    with pytest.warns(UnscaledFeaturesWarning, match="column 2 of X is far"):
        net().fit(X, y)
    with pytest.warns(UnscaledFeaturesWarning, match="and 3 more of X are far"):
        net().fit(X * [20, 20, 1, 20, 20, 20], y)


def test_sparse_counts_and_frames_of_a_tabular_network_are_silent():
    sparse = pytest.importorskip("scipy.sparse")
    pandas = pytest.importorskip("pandas")
    X, y = table()
    assert kinds(net(), sparse.csr_array((X > 1.2) * 2.0), y) == []
    frame = pandas.DataFrame(X * 1000 + 5000)
    assert kinds(TabularClassifier(random_state=0, max_epochs=15), frame, y) == []


def test_pixels_and_tokens_are_silent_and_raw_channels_are_not():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    images = (rng.integers(0, 200, (60, 8, 8)) + 40 * y[:, None, None]).astype(np.uint8)
    cnn = CNNClassifier((4,), random_state=0, max_epochs=3)
    assert UnscaledFeaturesWarning not in kinds(cnn, images, y)
    assert UnscaledFeaturesWarning in kinds(cnn, images.astype(np.float32), y)
    texts = ["ab" * (3 + int(k)) for k in y]
    rnn = RNNClassifier(4, random_state=0, max_epochs=3, analyzer="char")
    assert UnscaledFeaturesWarning not in kinds(rnn, texts, y)
    series = [rng.normal(500, 50, (5 + int(k), 2)) for k in y]
    rnn = RNNClassifier(4, random_state=0, max_epochs=3)
    with pytest.warns(UnscaledFeaturesWarning, match="channels 0, 1 of X|1, 0 of X"):
        rnn.fit(series, y)


def test_a_module_of_the_users_may_scale_by_itself():
    from torch import nn

    def module(n_features, n_outputs):
        return nn.Sequential(
            nn.BatchNorm1d(n_features), nn.Linear(n_features, n_outputs)
        )

    X, y = table()
    network = ModuleClassifier(module, random_state=0, max_epochs=30)
    assert UnscaledFeaturesWarning not in kinds(network, X * 100, y)


# -- validation rows and dead units ------------------------------------------------------


def test_a_score_needs_more_validation_rows_than_a_loss():
    X, y = table()
    params = {"early_stopping": True, "validation_fraction": 0.05}  # 15 rows
    assert kinds(net(**params), X, y) == []
    assert kinds(net(monitor="accuracy", **params), X, y) == [SmallValidationWarning]


def test_given_validation_rows_are_counted_too():
    X, y = table()
    network = net(early_stopping=True)
    found = caught(lambda: network.fit(X, y, X_val=X[:5], y_val=y[:5]))
    assert [kind for kind, _ in found] == [SmallValidationWarning]


def test_the_default_may_hold_out_few_rows():
    X, y = table(60)
    network = net(early_stopping="auto", weight_decay=0.1, max_epochs=20)
    assert SmallValidationWarning not in kinds(network, X, y)
    assert network.history_["valid_loss"].notna().all()


def test_an_activation_that_never_dies_and_a_penalty_that_kills_are_silent():
    X, y = table()
    assert DeadUnitsWarning in kinds(net(**DEADLY), X, y)
    assert DeadUnitsWarning not in kinds(net(activation="silu", **DEADLY), X, y)
    assert DeadUnitsWarning not in kinds(net(l1=1e-6, **DEADLY), X, y)


# -- searches ----------------------------------------------------------------------------


def test_a_stacked_search_gives_each_kind_once():
    X, y = table()
    search = GridSearchCV(
        net(max_epochs=2), {"dropout": [0.0, 0.1, 0.2]}, cv=4, refit=False
    )
    with parallel_config(backend="stacked"):
        found = caught(lambda: search.fit(X * 100, y))
        again = caught(lambda: search.fit(X * 100, y))
    assert sorted(kind.__name__ for kind, _ in found) == [
        "NotConvergedWarning",
        "UnscaledFeaturesWarning",
    ]
    assert sorted(text for _, text in found) == sorted(
        text for _, text in again
    )  # the next search says so too


def test_an_error_of_a_warning_leaves_the_estimator_as_it_was():
    X, y = table()
    network = net(max_epochs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotConvergedWarning)
        with pytest.raises(NotConvergedWarning):
            network.fit(X, y)
    assert not hasattr(network, "best_epoch_")


def test_warnings_change_nothing():
    X, y = table()
    loud, quiet = net(max_epochs=2), net(max_epochs=2)
    caught(lambda: loud.fit(X, y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quiet.fit(X, y)
    assert np.array_equal(loud.predict_proba(X), quiet.predict_proba(X))
