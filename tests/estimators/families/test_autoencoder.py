"""Autoencoders: a code, its reconstruction, and how far off that is."""

import pickle

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    GaussianNoise,
    InvalidParameterError,
    MLPAutoencoder,
    NetworkFeatures,
    stacking_report,
    to_onnx,
)


def net(**changed):
    settings = {"code_size": 2, "max_epochs": 20, "learning_rate": 0.02}
    return MLPAutoencoder((16,), **{**settings, "random_state": 0, **changed})


class Noise(GaussianNoise):
    """Counts how often it is asked."""

    calls = 0

    def augment(self, batch, generator):
        type(self).calls += 1
        return super().augment(batch, generator)


@pytest.fixture(scope="module")
def curve():
    """300 rows of 6 columns, on a curved line."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-2, 2, (300, 1))
    X = np.hstack([t, t**2, np.sin(2 * t), np.cos(2 * t), 2 * t, t**3 / 2])
    return (X - X.mean(0)) / X.std(0) * [1, 2, 1, 1, 3, 1] + [0, 5, 0, 0, 0, -3]


def error(X, Z):
    return np.square(X - Z).mean()


def test_the_decoded_code_is_the_reconstruction(curve):
    one = net(code_size=1, max_epochs=100).fit(curve)
    code = one.transform(curve)
    assert code.shape == (300, 1)
    decoded = one.inverse_transform(code)
    assert_allclose(one.score_samples(curve), -np.square(curve - decoded).mean(1))
    assert_allclose(one.score(curve), -error(curve, decoded))
    line = PCA(1).fit(curve)
    straight = line.inverse_transform(line.transform(curve))
    assert error(curve, decoded) < error(curve, straight) / 3


def test_without_bends_it_finds_what_pca_finds(curve):
    one = MLPAutoencoder(
        (), code_size=2, activation="identity", optimizer="lbfgs", random_state=0
    )
    one.set_params(max_epochs=200, tol=0).fit(curve)
    plane = PCA(2).fit(curve)
    best = error(curve, plane.inverse_transform(plane.transform(curve)))
    assert_allclose(-one.score(curve), best, rtol=1e-3)


def test_rows_unlike_the_others_have_low_scores(curve):
    one = net(max_epochs=60).fit(curve)
    strange = curve[:50][:, ::-1]
    assert one.score_samples(strange).max() < np.median(one.score_samples(curve))


def test_columns_count_by_their_spread(curve):
    X = (curve - curve.mean(0)) * [1, 1, 1, 1, 1, 6]
    one = net(code_size=1, max_epochs=60).fit(X)
    gap = X - one.inverse_transform(one.transform(X))
    assert gap[:, 5].var() / X[:, 5].var() < 0.02


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
@pytest.mark.parametrize("optimizer", ["adamw", "lbfgs"])
def test_every_loss_is_minimised(curve, loss, optimizer):
    one = net(loss=loss, optimizer=optimizer).fit(curve)
    assert one.loss_curve_[-1] < 0.7 * one.loss_curve_[0]


def test_noise_is_given_to_the_network_and_the_clean_row_asked_of_it(curve):
    Noise.calls = 0
    denoising = net(code_size=1, augmentation=Noise(0.7), max_epochs=80).fit(curve)
    assert Noise.calls > 0
    plain = net(code_size=1, max_epochs=80).fit(curve)
    noisy = curve + np.random.default_rng(1).normal(size=curve.shape) * 0.7
    cleaned = denoising.inverse_transform(denoising.transform(noisy))
    assert error(cleaned, curve) < error(noisy, curve)
    assert error(cleaned, curve) < error(
        plain.inverse_transform(plain.transform(noisy)), curve
    )


def test_targets_are_ignored_and_validation_rows_need_none(curve):
    one = net(early_stopping=True, n_iter_no_change=3).fit(curve, X_val=curve[::2])
    other = clone(one).fit(curve, np.arange(300), X_val=curve[::2], y_val="nothing")
    assert_array_equal(one.transform(curve), other.transform(curve))
    assert np.isfinite(one.history_["valid_loss"]).all()


def test_weights_draw_the_reconstruction_to_heavy_rows(curve):
    heavy = curve[:, 0] > 1
    one = net(code_size=1).fit(curve, sample_weight=np.where(heavy, 30.0, 1.0))
    other = net(code_size=1).fit(curve, sample_weight=np.where(heavy, 1.0, 30.0))
    assert one.score(curve[heavy]) > other.score(curve[heavy])


def test_it_goes_on_and_survives_pickling(curve):
    one = net(warm_start=True).fit(curve)
    twin = pickle.loads(pickle.dumps(one))
    assert_array_equal(twin.transform(curve), one.transform(curve))
    assert twin.fit(curve).loss_curve_[0] < one.loss_curve_[0]
    stream = net().partial_fit(curve).partial_fit(curve)
    assert stream.n_iter_ == 2
    with pytest.raises(ValueError, match="code_size changed"):
        one.set_params(code_size=3).fit(curve)


def test_layers_are_mirrored():
    one = MLPAutoencoder((9, 7), code_size=3, dropout=(0.1, 0.2), max_epochs=1)
    one.fit(np.random.default_rng(0).normal(size=(20, 5)))
    shapes = [tuple(p.shape) for p in one.module_.parameters() if p.ndim == 2]
    assert shapes == [(9, 5), (7, 9), (3, 7), (7, 3), (9, 7), (5, 9)]
    rates = [m.rate for m in one.module_.modules() if hasattr(m, "rate")]
    assert rates == [0.1, 0.2, 0.2, 0.1]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"code_size": 0}, "code_size"),
        ({"loss": "poisson"}, "'loss'"),
        ({"dropout": (0.1, 0.1)}, "layer of the encoder"),
    ],
)
def test_parameters_that_cannot_be_are_named(curve, changed, match):
    with pytest.raises(InvalidParameterError, match=match):
        net(**changed).fit(curve)


def test_codes_of_another_width_are_named(curve):
    with pytest.raises(ValueError, match="takes codes of 2 columns; got 3"):
        net().fit(curve).inverse_transform(curve[:, :3])


def test_a_search_chooses_by_the_reconstruction_and_a_stack_gives_the_same(curve):
    grid = {"learning_rate": [1e-4, 0.02], "dropout": [0.0, 0.3], "l2": [0, 1e-4]}
    alone = GridSearchCV(net(max_epochs=8), grid, cv=2).fit(curve)
    assert alone.best_params_["learning_rate"] == 0.02
    with parallel_config(backend="stacked"):
        stacked = GridSearchCV(net(max_epochs=8), grid, cv=2).fit(curve)
    assert sum(stacking_report().stacks) >= 8
    name = "mean_test_score"
    assert_allclose(stacked.cv_results_[name], alone.cv_results_[name], rtol=1e-6)


def test_frames_keep_names(curve):
    frame = net().set_output(transform="pandas").fit_transform(curve)
    assert list(frame.columns) == ["mlpautoencoder0", "mlpautoencoder1"]


@pytest.mark.oldest
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("inner", ["autoencoder", "features"])
def test_a_pipeline_with_it_exports_with_the_receipt(iris, dtype, inner):
    X, y = iris
    step = net(normalization="batch", dropout=0.1)
    step = NetworkFeatures(step, layer=0) if inner == "features" else step
    pipe = make_pipeline(StandardScaler(), step, LogisticRegression()).fit(X, y)
    export = to_onnx(pipe, X.astype(dtype))
    limit = 1e-5 if dtype == np.float32 else 1e-10
    assert export.receipt["differences"]["predict_proba"]["largest"] < limit
