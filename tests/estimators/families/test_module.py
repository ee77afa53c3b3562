"""A module of the user's own as a classifier or regressor."""

import copy
import pickle
import threading

import joblib
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_deep import (
    Augmentation,
    InvalidParameterError,
    ModuleClassifier,
    ModuleRegressor,
    OnnxExportError,
    TrainingWarning,
    stacking_report,
    to_onnx,
)


class Net(nn.Module):
    def __init__(self, n_features, n_outputs, width=8, rate=0.2):
        super().__init__()
        self.inner = nn.Linear(n_features, width)
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(rate)
        self.outer = nn.Linear(width, n_outputs)

    def forward(self, x):
        return self.outer(self.drop(self.norm(self.inner(x)).relu()))


class Noisy(Net):
    """Draws in training with functions of torch's."""

    def forward(self, x):
        h = F.dropout(self.inner(x).relu(), 0.2, self.training)
        if self.training:
            h = h + 0.1 * torch.randn_like(h)
        return self.outer(h)


class Both(Net):
    """Draws by a layer of torch's, an odd number of values, and by itself."""

    def __init__(self, n_features, n_outputs, width=7):
        super().__init__(n_features, n_outputs, width)

    def forward(self, x):
        return F.dropout(super().forward(x), 0.1, self.training)


class Branching(Net):
    """Goes another way by what it sees."""

    def forward(self, x):
        h = self.inner(x)
        return self.outer(h.relu() if h.sum() > 0 else h.tanh())


class Own(nn.Module):
    """Parameters and constants that it fills itself, of all kinds."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_features, n_outputs) / 3)
        self.frozen = nn.Parameter(torch.rand(n_features), requires_grad=False)
        self.register_buffer("kept", torch.randn(n_features))
        self.register_buffer("shift", torch.randn(n_features), persistent=False)
        self.scale = torch.rand(1).item() + 1

    def forward(self, x):
        return ((x + self.shift) * self.kept + self.frozen) @ self.weight * self.scale


class Tied(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.first = nn.Linear(n_features, n_features)
        self.second = nn.Linear(n_features, n_features)
        self.second.weight = self.first.weight
        self.outer = nn.Linear(n_features, n_outputs)

    def forward(self, x):
        return self.outer(self.second(self.first(x).tanh()))


class Lazy(nn.Sequential):
    def __init__(self, n_outputs):
        super().__init__(nn.LazyLinear(6), nn.ReLU(), nn.LazyLinear(n_outputs))


class Conv(nn.Module):
    def __init__(self, input_shape, n_outputs):
        super().__init__()
        channels, height, width = input_shape
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.outer = nn.Linear(4 * height * width, n_outputs)

    def forward(self, x):
        return self.outer(self.conv(x).relu().flatten(1))


def net(module=Net, **changed):
    settings = {"max_epochs": 4, "batch_size": 16, "random_state": 0}
    return ModuleClassifier(module, **{**settings, **changed})


MODULES = [Net, Noisy, Both, Branching, Own, Tied, Lazy]


# Parameters


def test_arguments_of_the_module_are_parameters():
    one = net(module__width=5)
    assert one.get_params()["module__width"] == 5
    assert "module__width=5" in repr(one)
    assert clone(one).module__width == 5
    assert (
        one.set_params(module__width=6, module=Own).get_params()["module__width"] == 6
    )
    assert one.module is Own
    assert "module__width" not in clone(net()).get_params()


def test_another_keyword_argument_is_refused_as_python_does():
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        net(width=3)
    with pytest.raises(ValueError, match="Invalid parameter 'width'"):
        net().set_params(width=3)


def test_arguments_are_searched(iris):
    pipe = make_pipeline(StandardScaler(), net(max_epochs=30, learning_rate=0.03))
    grid = {"moduleclassifier__module__width": [1, 8]}
    search = GridSearchCV(pipe, grid, cv=2).fit(*iris)
    assert search.best_params_ == {"moduleclassifier__module__width": 8}


@pytest.mark.parametrize(
    ("value", "got"), [(Net(4, 3), "not a module itself"), ("Net", "Got 'Net'")]
)
def test_what_makes_no_module_is_refused(iris, value, got):
    with pytest.raises(InvalidParameterError, match=got):
        net(value).fit(*iris)


# The same network from the same seed, and no global generator.


@pytest.mark.parametrize("module", MODULES)
def test_a_seed_decides_the_network_and_nothing_global_does(iris, module):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = net(module).fit(*iris)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    same, other = net(module).fit(*iris), net(module, random_state=1).fit(*iris)
    assert_array_equal(one.predict_proba(iris[0]), same.predict_proba(iris[0]))
    assert abs(one.predict_proba(iris[0]) - other.predict_proba(iris[0])).max() > 1e-3


@pytest.mark.parametrize("module", [Noisy, Own])
def test_threads_change_nothing(iris, module):
    alone = [net(module, random_state=k).fit(*iris) for k in range(4)]
    there = [net(module, random_state=k) for k in range(4)]
    threads = [threading.Thread(target=e.fit, args=iris) for e in there]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, there, strict=True):
        assert_array_equal(one.predict_proba(iris[0]), other.predict_proba(iris[0]))


@pytest.mark.oldest
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_copies_predict_the_same_and_train_on_alike(iris, module, dtype):
    X, y = iris
    one = net(module, dtype=dtype, warm_start=True).fit(X, y)
    assert type(one.module_) is module
    state = one.__getstate__()
    assert all(isinstance(v, np.ndarray) for v in state["_fitted"]["module"].values())
    for twin in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert_array_equal(twin.predict_proba(X), one.predict_proba(X))
        assert_array_equal(
            twin.fit(X, y).predict_proba(X),
            copy.deepcopy(one).fit(X, y).predict_proba(X),
        )


def test_it_is_read_from_memory_that_cannot_be_written(iris, tmp_path):
    one = net().fit(*iris)
    joblib.dump(one, tmp_path / "net")
    twin = joblib.load(tmp_path / "net", mmap_mode="r")
    assert_array_equal(twin.predict_proba(iris[0]), one.predict_proba(iris[0]))


def test_tied_weights_stay_tied_through_pickling(iris):
    twin = pickle.loads(pickle.dumps(net(Tied).fit(*iris)))
    assert twin.module_.first.weight is twin.module_.second.weight


def test_frozen_parameters_stay_what_they_were_drawn(iris):
    one, longer = net(Own).fit(*iris), net(Own, max_epochs=9).fit(*iris)
    assert torch.equal(one.module_.frozen, longer.module_.frozen)
    assert not one.module_.frozen.requires_grad
    assert not torch.equal(one.module_.weight, longer.module_.weight)


@pytest.mark.parametrize("module", [Net, Noisy, Own, Lazy])
def test_warm_start_and_partial_fit_go_on(iris, module):
    X, y = iris
    one = net(module, warm_start=True).fit(X, y)
    first = one.loss_curve_[0]
    assert one.fit(X, y).loss_curve_[0] < first
    stream = net(module).partial_fit(X, y).partial_fit(X, y)
    assert stream.n_iter_ == 2
    with pytest.raises(ValueError, match="module__width changed"):
        net(warm_start=True).fit(X, y).set_params(module__width=3).fit(X, y)


def test_a_module_that_was_swapped_for_another_cannot_go_on(iris):
    with pytest.raises(ValueError, match="module changed"):
        net(warm_start=True).fit(*iris).set_params(module=Branching).fit(*iris)


@pytest.mark.parametrize("optimizer", ["lbfgs", "gd", "sgd"])
@pytest.mark.parametrize("module", [Net, Noisy])
def test_every_kind_of_optimizer_trains_it(iris, module, optimizer):
    one = net(module, optimizer=optimizer, learning_rate=0.05, max_epochs=10).fit(*iris)
    assert one.loss_curve_[-1] < one.loss_curve_[0]


def test_the_range_test_trains_it(iris):
    assert net(Noisy, learning_rate="auto").fit(*iris).learning_rate_ > 0


def test_callbacks_of_skorch_and_the_skorch_net_see_the_module(iris):
    from skorch.callbacks import EpochScoring

    one = net(callbacks=[EpochScoring("accuracy", name="acc", on_train=True)])
    assert type(one.fit(*iris).net_.module_) is Net


def test_regression_with_several_targets_and_a_spread(two_targets):
    X, Y = two_targets
    reg = ModuleRegressor(Net, max_epochs=40, learning_rate=0.02, random_state=0)
    assert reg.fit(X, Y).score(X, Y) > 0.5
    spread = clone(reg).set_params(loss="gaussian").fit(X, Y[:, 0])
    mean, std = spread.predict(X, return_std=True)
    assert mean.shape == std.shape == (60,)


# Rows of several axes


@pytest.fixture
def images(rng):
    X = rng.normal(size=(60, 2, 4, 5))
    return X, (X[:, 0].mean((1, 2)) > 0).astype(int)


def test_rows_of_several_axes_come_as_they_are(images):
    X, y = images
    one = net(Conv, max_epochs=30, learning_rate=0.01).fit(X, y)
    assert one.score(X, y) > 0.8
    assert one.n_features_in_ == 2
    twin = pickle.loads(pickle.dumps(one))
    assert_array_equal(twin.predict_proba(X), one.predict_proba(X))
    search = GridSearchCV(net(Conv), {"learning_rate": [1e-3, 1e-2]}, cv=2).fit(X, y)
    assert search.predict(X).shape == (60,)


class Seen(Augmentation):
    """Notes what an augmentation is given."""

    kinds = frozenset({"images"})
    shapes = set()

    def augment(self, batch, generator):
        self.shapes.add(tuple(batch.x.shape[1:]))
        return batch


def test_augmentations_see_rows_as_torch_has_them(images):
    X, y = images
    net(Conv, augmentation=Seen()).fit(X, y)
    assert Seen.shapes == {(2, 4, 5)}
    with pytest.raises(InvalidParameterError, match="for table rows"):
        net(augmentation=Seen()).fit(X[:, 0, 0], y)


def test_rows_of_another_shape_are_named(images):
    X, y = images
    one = net(Conv).fit(X, y)
    with pytest.raises(ValueError, match=r"shape \(2, 4, 5\); got X .* \(2, 5, 4\)"):
        one.predict(X.transpose(0, 1, 3, 2))
    with pytest.raises(ValueError, match=r"rows of shape \(2, 5, 4\)"):
        net(Conv).fit(X, y, X_val=X.transpose(0, 1, 3, 2), y_val=y)


def test_pixels_become_numbers_of_the_dtype_unscaled(images):
    X, y = images
    X = (X * 20 + 100).clip(0, 255).astype(np.uint8)
    one = net(Conv, dtype="float32").fit(X, y)
    assert_array_equal(one.predict_proba(X), one.predict_proba(X.astype(np.float32)))


def test_attributes_that_ours_have_too_may_be_anything(iris):
    class Named(Net):
        def __init__(self, n_features, n_outputs):
            super().__init__(n_features, n_outputs)
            self.units, self.multiply_adds = [8, 3], "none"

    assert search(net(Named), {"learning_rate": [0.1, 0.2]}, iris, "stacked")[0].any()


# Errors


def broken(forward, **state):
    class Broken(nn.Linear):
        def __init__(self, n_features, n_outputs):
            super().__init__(n_features, n_outputs)
            self.__dict__.update(state)

        def forward(self, x):
            return forward(self, super().forward(x))

    return Broken


@pytest.mark.parametrize(
    ("forward", "error", "message"),
    [
        (lambda self, z: (z, z), TypeError, "tuple of Tensor, Tensor. Return the raw"),
        (lambda self, z: {"out": z}, TypeError, "gave a dict"),
        (lambda self, z: z[:, :2], ValueError, r"\(n_rows, 3\).*\(16, 2\).*n_outputs"),
        (lambda self, z: z.argmax(1), ValueError, r"int64 of shape \(16,\)"),
        (lambda self, z: z.detach(), ValueError, "do not depend on its parameters"),
        (
            lambda self, z: z @ z,
            ValueError,
            r"Broken .* fails on rows of shape \(16, 4\)",
        ),
        (
            lambda self, z: z @ torch.ones(3, 3),
            ValueError,
            "dtype='float32' changes both",
        ),
        (
            lambda self, z: F.dropout(z),
            ValueError,
            "draws random numbers in evaluation",
        ),
    ],
)
def test_a_forward_that_gives_something_else_is_named(iris, forward, error, message):
    with pytest.raises(error, match=message):
        net(broken(forward)).fit(*iris)


def test_an_output_that_was_squeezed_is_told_so(binary):
    with pytest.raises(ValueError, match=r"shape \(16,\).*do not squeeze"):
        net(broken(lambda self, z: z.squeeze(-1))).fit(*binary)


def test_an_argument_that_it_lacks_is_named(iris):
    with pytest.raises(InvalidParameterError, match="Net of ModuleClassifier takes no"):
        net(module__depth=3).fit(*iris)


def test_an_error_leaves_the_estimator_as_it_was(iris):
    one = net().fit(*iris)
    before = one.predict_proba(iris[0])
    with pytest.raises(TypeError):
        one.set_params(module=broken(lambda self, z: (z,))).fit(*iris)
    assert_array_equal(one.predict_proba(iris[0]), before)


# In a stack


def search(estimator, grid, data, backend):
    with parallel_config(backend=backend):
        found = GridSearchCV(estimator, grid, cv=3, error_score="raise").fit(*data)
    return found.cv_results_["mean_test_score"], found.best_estimator_


GRID = {"module__rate": [0.0, 0.3], "learning_rate": [0.003, 0.03, 0.1]}


def test_modules_of_one_kind_train_as_one_and_come_out_the_same(iris):
    scores, best = search(net(dtype="float64"), GRID, iris, "sequential")
    others, other = search(net(dtype="float64"), GRID, iris, "stacked")
    assert_allclose(others, scores)
    assert_allclose(
        other.predict_proba(iris[0]), best.predict_proba(iris[0]), atol=1e-8
    )
    assert sum(stacking_report().stacks) == 18


@pytest.mark.parametrize("module", [Noisy, Branching, Own])
def test_modules_that_cannot_be_stacked_train_alone_without_a_word(iris, module):
    grid = {"learning_rate": [0.003, 0.03, 0.1, 0.2]}
    scores, best = search(net(module), grid, iris, "sequential")
    others, other = search(net(module), grid, iris, "stacked")
    assert_array_equal(others, scores)
    assert_array_equal(other.predict_proba(iris[0]), best.predict_proba(iris[0]))
    assert not stacking_report().stacks


# ONNX


@pytest.mark.parametrize("module", [Net, Branching, Tied, Own, Lazy])
def test_a_module_exports_with_the_receipt_or_says_why_not(iris, module):
    X, y = iris
    pipe = make_pipeline(StandardScaler(), net(module)).fit(X, y)
    if module is Branching:
        with pytest.raises(OnnxExportError, match="Branching has no ONNX form"):
            to_onnx(pipe, X)
        return
    export = to_onnx(pipe, X.astype(np.float32), tolerance=1e-5)
    assert export.receipt["differences"]["predict_proba"]["largest"] < 1e-5


# Modules that end in what the loss applies itself


class Ending(nn.Module):
    """A linear layer with a function behind it."""

    def __init__(self, n_features, n_outputs, last=None):
        super().__init__()
        self.linear, self.last = nn.Linear(n_features, n_outputs), last

    def forward(self, x):
        return self.last(self.linear(x))


TASKS = {
    "classes": lambda y: y,
    "two classes": lambda y: y > 0,
    "labels": lambda y: np.stack([y > 0, y > 1], 1),
}

PROBABILITIES = {
    "softmax": (nn.Softmax(-1), TASKS),
    "functional softmax": (lambda z: z.softmax(1), TASKS),
    "sigmoid": (nn.Sigmoid(), TASKS),
    "functional sigmoid": (torch.sigmoid, TASKS),
    "hardsigmoid": (F.hardsigmoid, TASKS),
    "clamped softmax": (lambda z: z.softmax(1).clamp(1e-6, 1 - 1e-6), TASKS),
    "sigmoid in another shape": (lambda z: z.T.sigmoid().contiguous().T, TASKS),
    "shares": (lambda z: z.exp() / z.exp().sum(1, keepdim=True), {"classes"}),
    "log_softmax": (nn.LogSoftmax(1), {"two classes", "labels"}),
    "logsigmoid": (nn.LogSigmoid(), {"two classes", "labels"}),
    "identity": (nn.Identity(), set()),
    "relu": (torch.relu, set()),
    "tanh": (torch.tanh, set()),
    "a scaled softmax": (lambda z: 10 * z.softmax(1), set()),
    "a gate": (lambda z: z * z.sigmoid(), set()),
    "zeros": (lambda z: 0 * z, set()),
    "logits from 0 to 1": (lambda z: 0.5 + 1e-3 * z, set()),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("last", "warned"), PROBABILITIES.values(), ids=list(PROBABILITIES)
)
def test_a_classifier_that_gives_probabilities_to_the_loss_is_warned_of(
    last, warned, task, iris
):
    X, y = iris
    network = ModuleClassifier(Ending, module__last=last, max_epochs=1, random_state=0)
    if task not in warned:
        network.fit(X, TASKS[task](y))  # warnings are errors in tests
        return
    with pytest.warns(TrainingWarning, match="Remove the .* from the module") as told:
        network.fit(X, TASKS[task](y))
    assert len(told) == 1
    assert "Ending of ModuleClassifier ends in a" in str(told[0].message)


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.Sigmoid()], ids=str)
def test_a_regressor_may_end_in_anything(last, regression):
    X, y = regression
    ModuleRegressor(Ending, module__last=last, max_epochs=1).fit(X, y)


def test_a_stream_is_warned_of_once(iris):
    X, y = iris
    network = ModuleClassifier(Ending, module__last=nn.Softmax(1))
    with pytest.warns(TrainingWarning):
        network.partial_fit(X, y)
    network.partial_fit(X, y)


@pytest.mark.parametrize("backend", ["threading", "stacked"])
def test_the_warning_reaches_the_user_of_a_search(backend, iris):
    X, y = iris
    network = ModuleClassifier(Ending, module__last=nn.Softmax(1), max_epochs=2)
    search = GridSearchCV(network, {"learning_rate": [0.01, 0.1]}, cv=2, n_jobs=2)
    with (
        parallel_config(backend=backend),
        pytest.warns(TrainingWarning, match="ends in a softmax") as told,
    ):
        search.fit(X, y)
    of_softmax = [w for w in told if w.category is TrainingWarning]
    assert len(of_softmax) == 5  # every fit, and the one of the best
