"""The picture of what a network sees."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_deep import (
    AutoAugment,
    CNNClassifier,
    FeatureMask,
    Flip,
    GaussianNoise,
    InvalidParameterError,
    Jitter,
    Mixup,
    MLPClassifier,
    augmentation_preview,
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def pixels(ax):
    return np.asarray(ax.get_images()[0].get_array())


@pytest.mark.oldest
def test_images_stand_above_their_draws(rng):
    X = rng.integers(0, 256, (20, 6, 5), dtype=np.uint8)
    net = CNNClassifier(augmentation=Flip(probability=1.0))
    figure = augmentation_preview(net, X, n_rows=4, n_draws=2, random_state=0)
    axes = np.reshape(figure.axes, (3, 4))
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["original", "draw 1", "draw 2"]
    for before, *draws in axes.T:
        shown = pixels(before)
        assert any(np.allclose(shown, x / 255) for x in X)
        for ax in draws:
            assert_allclose(pixels(ax), shown[:, ::-1])


@pytest.mark.parametrize(("channels", "shown"), [(1, 2), (3, 3), (4, 2)])
def test_three_channels_are_colours_and_other_numbers_grey(channels, shown, rng):
    X = rng.normal(size=(5, 6, 6, channels))
    net = CNNClassifier(augmentation=GaussianNoise(5.0))
    figure = augmentation_preview(net, X, random_state=0)
    for ax in figure.axes:
        assert pixels(ax).ndim == shown
        assert 0 <= pixels(ax).min() <= pixels(ax).max() <= 1


def test_series_are_lines_over_the_original(rng):
    X = rng.normal(size=(8, 30, 2))
    net = CNNClassifier(spatial_dims=1, augmentation=Jitter(0.5))
    figure = augmentation_preview(net, X, n_rows=3, n_draws=1, random_state=0)
    original, draw = np.reshape(figure.axes, (2, 3))[:, 1]
    assert [len(ax.get_lines()) for ax in (original, draw)] == [2, 4]
    before, behind = original.get_lines(), draw.get_lines()
    for k in range(2):
        assert_array_equal(before[k].get_ydata(), behind[k].get_ydata())
        assert not np.allclose(before[k].get_ydata(), behind[k + 2].get_ydata())


def test_tables_are_heat_maps(iris):
    net = MLPClassifier(augmentation=FeatureMask(0.5, value=-9.0))
    figure = augmentation_preview(net, iris[0], n_rows=5, n_draws=2, random_state=0)
    original, *draws = (pixels(ax) for ax in figure.axes[:3])
    assert original.shape == (5, 4)
    for rows in draws:
        assert_array_equal(rows[rows != -9], original[rows != -9])
        assert (rows == -9).any()


def test_the_random_state_decides(iris):
    net = MLPClassifier(augmentation=GaussianNoise())
    seeds = (0, 0, 1, None, np.random.RandomState(0))
    figures = [augmentation_preview(net, iris[0], random_state=s) for s in seeds]
    first, again, other, unseeded, state = (pixels(f.axes[1]) for f in figures)
    assert_array_equal(first, again)
    assert_array_equal(first, state)
    assert not np.array_equal(first, other)
    assert unseeded.shape == first.shape


def test_mixed_rows_say_of_what(rng):
    X, y = rng.normal(size=(30, 4, 4)), np.repeat(["cat", "dog"], 15)
    net = CNNClassifier(augmentation=Mixup(alpha=50.0))
    figure = augmentation_preview(net, X, y, random_state=0)
    titles = [ax.get_title() for ax in figure.axes]
    assert set(titles[:6]) == {"cat", "dog"}
    mixed = [title for title in titles[6:] if "%" in title]
    assert mixed
    assert all("cat" in title and "dog" in title for title in mixed)
    assert not any(ax.get_title() for ax in augmentation_preview(net, X).axes)


def test_the_network_gets_what_the_steps_before_it_make_of_x(iris):
    X, y = iris
    pipe = make_pipeline(
        MinMaxScaler(), MLPClassifier((4,), augmentation=FeatureMask(0.2), max_epochs=1)
    )
    search = GridSearchCV(pipe, {"mlpclassifier__augmentation__rate": [0.1]}, cv=2)
    for model in (pipe, search.fit(X, y), pipe.fit(X, y)):
        figure = augmentation_preview(model, X, random_state=0)
        shown = pixels(figure.axes[0])
        assert 0 <= shown.min() <= shown.max() <= 1 + 1e-9


def test_an_unfitted_pipeline_stays_unfitted(iris):
    pipe = make_pipeline(StandardScaler(), MLPClassifier(augmentation=FeatureMask()))
    augmentation_preview(pipe, iris[0])
    assert not hasattr(pipe[0], "mean_")


def test_what_a_search_has_found_is_drawn_and_before_that_an_error(iris):
    search = AutoAugment(1, n_epochs=1)
    net = MLPClassifier((4,), augmentation=[GaussianNoise(), search], max_epochs=1)
    with pytest.raises(ValueError, match="no policy yet"):
        augmentation_preview(net, iris[0])
    assert augmentation_preview(net.fit(*iris), iris[0]).axes


def test_targets_of_another_length_or_shape_are_refused(iris):
    net = MLPClassifier(augmentation=GaussianNoise())
    with pytest.raises(ValueError, match="X has 150 rows and y has 149"):
        augmentation_preview(net, iris[0], iris[1][1:])
    with pytest.raises(ValueError, match="1d array"):
        augmentation_preview(net, iris[0], np.ones((150, 2)))


@pytest.mark.parametrize(
    "model", [LogisticRegression(), make_pipeline(StandardScaler()), "a string"]
)
def test_what_is_no_network_is_refused_by_name(model, iris):
    with pytest.raises(TypeError, match="needs a network"):
        augmentation_preview(model, iris[0])


def test_without_augmentation_there_is_nothing_to_draw(iris):
    with pytest.raises(ValueError, match="no augmentation"):
        augmentation_preview(MLPClassifier(), iris[0])


@pytest.mark.parametrize(
    "params", [{"n_rows": 0}, {"n_draws": 1.5}, {"random_state": "zero"}]
)
def test_its_arguments_are_checked(params, iris):
    net = MLPClassifier(augmentation=GaussianNoise())
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        augmentation_preview(net, iris[0], **params)
