"""Watching a fit: scikit-learn's callbacks, skorch's callbacks, the progress line."""

import numpy as np
import pytest
import sklearn
import skorch
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    LRScheduler,
    PrintLog,
)

from plain_networks import plain_classifier, plain_regressor
from sklearn_deep import ValidationHoldout

pytestmark = pytest.mark.oldest

try:
    from sklearn.callback import ProgressBar, ScoringMonitor
except ImportError:
    ScoringMonitor = ProgressBar = None

needs_sklearn_callbacks = pytest.mark.skipif(
    ScoringMonitor is None,
    reason=f"scikit-learn {sklearn.__version__} has no callbacks",
)


@pytest.fixture
def network():
    return plain_classifier((6,), batch_size=32, max_epochs=4, random_state=0)


# verbose


def test_a_quiet_fit_prints_nothing(network, iris, capfd):
    X, y = iris
    network.set_params(early_stopping=True, callbacks=[EarlyStopping()]).fit(
        X, y
    ).predict(X)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [1, True])
def test_one_line_follows_the_fit(verbose, network, iris, capsys):
    X, y = iris
    network.set_params(verbose=verbose, early_stopping=True).fit(X, y)
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    last = out.strip().split("\r")[-1]
    assert last.startswith("MLPClassifier: epoch 4/4, train loss ")
    assert f"validation loss {network.history_.valid_loss.iloc[-1]:.4f}" in last
    assert last.endswith("[max_epochs]")


def test_verbose_2_prints_a_line_an_epoch(network, iris, capsys):
    X, y = iris
    network.set_params(verbose=2).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    for epoch, (line, loss) in enumerate(
        zip(lines, network.loss_curve_, strict=True), start=1
    ):
        assert f"epoch {epoch}/4, train loss {loss:.4f}" in line


def test_printing_changes_nothing_of_the_fit(network, iris, capsys):
    X, y = iris
    quiet = clone(network).fit(X, y)
    loud = clone(network).set_params(verbose=2).fit(X, y)
    assert_array_equal(quiet.predict_proba(X), loud.predict_proba(X))


# scikit-learn's callbacks


@needs_sklearn_callbacks
def test_a_scoring_monitor_sees_the_score_after_every_epoch(network, iris):
    X, y = iris
    monitor = ScoringMonitor(scoring="accuracy")
    watched = clone(network).set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in rows] == [0, 1, 2, 3]
    for row in rows:
        shorter = clone(network).set_params(max_epochs=row["task_id"] + 1).fit(X, y)
        assert row["accuracy"] == accuracy_score(y, shorter.predict(X))
    assert_array_equal(watched.predict_proba(X), network.fit(X, y).predict_proba(X))


@needs_sklearn_callbacks
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_scoring_monitor_counts_the_epochs_that_were_trained(
    optimizer, early_stopping, iris
):
    X, y = iris
    monitor = ScoringMonitor(scoring="r2")
    network = plain_regressor(
        (6,), optimizer=optimizer, early_stopping=early_stopping, max_epochs=30,
        n_iter_no_change=2, tol=0.1, learning_rate=0.05, random_state=0,
    )  # fmt: skip
    network.set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == network.n_iter_ < 30


@needs_sklearn_callbacks
def test_a_scoring_monitor_follows_every_network_of_a_grid_search(network, iris):
    X, y = iris
    monitor = ScoringMonitor(scoring="neg_log_loss")
    pipe = make_pipeline(StandardScaler(), network.set_callbacks(monitor))
    grid = {"mlpclassifier__learning_rate": [1e-6, 0.02]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == (2 * 2 + 1) * 4
    assert len({row["parent_task_id_path"] for row in rows}) == 5
    assert search.best_params_ == {"mlpclassifier__learning_rate": 0.02}


@needs_sklearn_callbacks
@pytest.mark.slow
def test_a_scoring_monitor_hears_from_other_processes(network, iris):
    X, y = iris
    monitor = ScoringMonitor(scoring="accuracy")
    network.set_callbacks(monitor)
    GridSearchCV(network, {"dropout": [0.0, 0.2]}, cv=2, n_jobs=2).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == (2 * 2 + 1) * 4


@needs_sklearn_callbacks
def test_a_scoring_monitor_follows_a_network_inside_a_validation_holdout(network, iris):
    X, y = iris
    monitor = ScoringMonitor(scoring="accuracy")
    pipe = make_pipeline(StandardScaler(), network.set_callbacks(monitor))
    ValidationHoldout(pipe, random_state=0).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 4


@needs_sklearn_callbacks
def test_a_progress_bar_shows_the_epochs_of_a_fit(network, iris, capsys):
    pytest.importorskip("rich")
    X, y = iris
    network.set_callbacks(ProgressBar()).fit(X, y)
    out = capsys.readouterr().out
    assert "MLPClassifier" in out
    assert "100%" in out


@needs_sklearn_callbacks
def test_a_progress_bar_on_a_grid_search_shows_its_networks(network, iris, capsys):
    pytest.importorskip("rich")
    X, y = iris
    search = GridSearchCV(network, {"dropout": [0.0, 0.2]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    out = capsys.readouterr().out
    assert "GridSearchCV" in out
    assert out.count("MLPClassifier") >= 5
    assert search.best_estimator_.n_iter_ == 4


class Recording:
    """A callback of scikit-learn's kind that notes what it is told."""

    def __init__(self, stop_after=None, predicts=True):
        self.events, self.stop_after, self.predicts = [], stop_after, predicts

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.events.append(f"begin {context.task_name}")
        self.shapes = X.shape, y.shape

    def on_fit_task_end(
        self,
        estimator,
        context,
        *,
        X=None,
        y=None,
        metadata=None,
        fitted_estimator=None,
    ):
        self.events.append(f"end {context.task_name}")
        if context.task_name == "epoch" and self.predicts:
            self.predicted = fitted_estimator.predict_proba(X)
            return self.stop_after == context.task_id + 1


@needs_sklearn_callbacks
def test_callbacks_hear_of_the_fit_and_of_every_epoch_in_order(network, iris):
    X, y = iris
    callback = Recording()
    network.set_callbacks(callback).fit(X, y)
    epochs = ["begin epoch", "end epoch"] * 4
    assert callback.events == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert callback.shapes == (X.shape, y.shape)
    assert_array_equal(callback.predicted, network.predict_proba(X))


@needs_sklearn_callbacks
def test_a_callback_may_stop_the_training(network, iris):
    X, y = iris
    network.set_callbacks(Recording(stop_after=2)).fit(X, y)
    assert (network.n_iter_, network.stop_reason_) == (2, "callback")


@needs_sklearn_callbacks
def test_callbacks_are_torn_down_when_training_diverges(iris):
    X, y = iris
    callback = Recording(predicts=False)
    network = plain_classifier(
        (6,), optimizer="sgd", learning_rate=1e300, max_epochs=20
    )
    with pytest.raises(ArithmeticError):
        network.set_callbacks(callback).fit(X, y)
    assert callback.events[-1] == "teardown"
    assert "end fit" not in callback.events
    assert not hasattr(network, "module_")


@needs_sklearn_callbacks
def test_callbacks_watch_partial_fit_as_well(network, iris):
    X, y = iris
    callback = Recording()
    network.set_callbacks(callback).partial_fit(X, y).partial_fit(X, y)
    assert callback.events.count("end epoch") == 2


# skorch's callbacks


def test_skorch_early_stopping_stops_the_training(iris):
    X, y = iris
    network = plain_classifier(
        (6,), max_epochs=50, random_state=0, early_stopping=False,
        callbacks=[EarlyStopping(monitor="train_loss", patience=2, threshold=10.0,
                                 threshold_mode="abs", sink=lambda text: None)],
    ).fit(X, y)  # fmt: skip
    assert network.stop_reason_ == "callback"
    assert network.n_iter_ == 3


def test_skorch_early_stopping_watches_the_validation_loss(iris):
    X, y = iris
    network = plain_classifier(
        (6,), learning_rate=0.5, max_epochs=60, random_state=0, early_stopping=False,
        callbacks=[EarlyStopping(patience=3, sink=lambda text: None)],
    )  # fmt: skip
    network.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    losses = network.history_.valid_loss
    assert network.stop_reason_ == "callback"
    assert losses.iloc[-3:].min() > losses.min() * (1 - 1e-4)


@pytest.mark.parametrize(
    ("scheduler", "rates"),
    [
        (
            LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5),
            [0.1, 0.05, 0.025, 0.0125],
        ),
        (
            LRScheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.1),
            [0.1, 0.01, 0.001, 0.0001],
        ),
    ],
)
def test_a_torch_scheduler_sets_the_learning_rate(scheduler, rates, iris):
    X, y = iris
    params = {
        "learning_rate": 0.1,
        "optimizer": "sgd",
        "max_epochs": 4,
        "random_state": 0,
    }
    network = plain_classifier((6,), callbacks=[scheduler], **params).fit(X, y)
    assert_allclose(network.history_.learning_rate, rates)
    own = plain_classifier(
        (6,), learning_rate_schedule="step",
        schedule_params={"every": 1, "factor": rates[1] / rates[0]}, **params,
    ).fit(X, y)  # fmt: skip
    assert_allclose(network.predict_proba(X), own.predict_proba(X))


def test_epoch_scoring_records_scores_on_validation_and_training_rows(network, iris):
    X, y = iris
    network.set_params(
        early_stopping=False,
        callbacks=[
            EpochScoring("accuracy", name="valid_acc", lower_is_better=False),
            (
                "train",
                EpochScoring(
                    "accuracy", name="train_acc", on_train=True, use_caching=False
                ),
            ),
        ],
    )
    network.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    history = network.net_.history
    assert_allclose(history[:, "valid_acc"], network.history_.valid_score)
    assert history[-1, "train_acc"] == network.score(X[::2], y[::2])


def test_gradient_norm_clipping_is_the_clipping_of_our_own(iris):
    X, y = iris
    params = {
        "optimizer": "sgd",
        "learning_rate": 0.5,
        "max_epochs": 5,
        "random_state": 0,
    }
    by_callback = plain_classifier(
        (6,), callbacks=[GradientNormClipping(0.05)], **params
    )
    by_argument = plain_classifier((6,), gradient_clip=0.05, **params)
    free = plain_classifier((6,), **params)
    for network in (by_callback, by_argument, free):
        network.fit(X, y)
    assert_allclose(
        by_callback.predict_proba(X), by_argument.predict_proba(X), rtol=1e-3
    )
    assert not np.allclose(
        by_callback.predict_proba(X), free.predict_proba(X), rtol=1e-2
    )


def test_a_checkpoint_writes_the_best_weights_to_where_it_is_told(
    network, iris, tmp_path
):
    X, y = iris
    checkpoint = Checkpoint(dirname=str(tmp_path), monitor="train_loss_best")
    network.set_params(callbacks=[checkpoint]).fit(X, y)
    assert (tmp_path / "history.json").exists()
    stored = torch.load(tmp_path / "params.pt", weights_only=True)
    for name, tensor in network.module_.state_dict().items():
        assert_array_equal(stored[name].numpy(), tensor.numpy())


@pytest.mark.parametrize(
    "penalty", [{}, {"weight_decay": 0.1}, {"l1": 0.1}, {"l2": 0.1}], ids=str
)
def test_frozen_parameters_are_not_trained(penalty, iris):
    X, y = iris
    params = {"hidden_layer_sizes": (6,), "random_state": 0}
    still = plain_classifier(
        optimizer="sgd", learning_rate=1e-300, max_epochs=1, **params
    )
    network = plain_classifier(
        learning_rate=0.01,
        max_epochs=5,
        callbacks=[Freezer("hidden.*")],
        **params,
        **penalty,
    )
    before = still.fit(X, y).module_.state_dict()
    for name, tensor in network.fit(X, y).module_.state_dict().items():
        same = torch.allclose(tensor, before[name], rtol=0, atol=1e-100)
        assert same == name.startswith("hidden")


def test_parameters_may_be_frozen_half_way(iris):
    X, y = iris
    params = {"hidden_layer_sizes": (6,), "learning_rate": 0.01, "random_state": 0}
    half = plain_classifier(max_epochs=2, **params).fit(X, y).module_.state_dict()
    network = plain_classifier(
        max_epochs=5, callbacks=[Freezer("hidden.*", at=3)], **params
    )
    for name, tensor in network.fit(X, y).module_.state_dict().items():
        assert torch.equal(tensor, half[name]) == name.startswith("hidden")


def test_print_log_prints_a_table_of_the_epochs(network, iris):
    X, y = iris
    lines = []
    network.set_params(early_stopping=True, callbacks=[PrintLog(sink=lines.append)])
    network.fit(X, y)
    text = "\n".join(map(str, lines))
    assert "train_loss" in text
    assert f"{network.history_.valid_loss.iloc[-1]:.4f}" in text


class Counting(Callback):
    """Counts every event of skorch's, and looks at what comes with it."""

    def initialize(self):
        self.counts = {}
        self.training_rows = 0
        self.gradients = []
        return self

    def _count(self, name):
        self.counts[name] = self.counts.get(name, 0) + 1

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self._count("train_begin")
        self.n_rows = len(X)

    def on_train_end(self, net, **kwargs):
        self._count("train_end")

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self._count("epoch_begin")
        self.sizes = len(dataset_train), len(dataset_valid)

    def on_epoch_end(self, net, **kwargs):
        self._count("epoch_end")

    def on_batch_end(
        self, net, batch=None, training=None, loss=None, y_pred=None, **kwargs
    ):
        assert torch.isfinite(loss)
        assert len(batch[0]) == len(y_pred)
        if training:
            self._count("batch")
            self.training_rows += len(batch[0])

    def on_grad_computed(self, net, named_parameters, **kwargs):
        gradients = [p.grad.abs().sum().item() for _, p in named_parameters]
        self.gradients.append(sum(gradients))


def test_skorch_callbacks_hear_of_every_event(network, iris):
    X, y = iris
    callback = Counting()
    network.set_params(callbacks=[callback], early_stopping=False)
    kept = np.arange(150) % 3 > 0
    network.fit(X[kept], y[kept], X_val=X[~kept], y_val=y[~kept])
    assert callback.counts == {
        "train_begin": 1, "epoch_begin": 4, "batch": 4 * 4, "epoch_end": 4, "train_end": 1,
    }  # fmt: skip
    assert callback.training_rows == 4 * 100
    assert (callback.n_rows, callback.sizes) == (100, (100, 50))
    assert len(callback.gradients) == 16
    assert min(callback.gradients) > 0


def test_a_callback_that_only_looks_changes_nothing(network, iris):
    X, y = iris
    watched = clone(network).set_params(early_stopping=True, callbacks=[Counting()])
    watched.fit(X, y)
    network.set_params(early_stopping=True).fit(X, y)
    assert_array_equal(watched.predict_proba(X), network.predict_proba(X))


def test_callbacks_may_be_named_and_classes_as_in_skorch(network, iris):
    X, y = iris
    network.set_params(callbacks=[("count", Counting())]).set_params(
        early_stopping=True
    )
    network.fit(X, y)
    assert dict(network.net_.callbacks_)["count"].counts["train_end"] == 1


def test_a_search_trains_each_network_with_callbacks_of_its_own(network, iris):
    X, y = iris
    network.set_params(callbacks=[EpochScoring("accuracy", name="acc", on_train=True)])
    search = GridSearchCV(network, {"dropout": [0.0, 0.2]}, cv=2, error_score="raise")
    search.fit(X, y)
    assert len(search.best_estimator_.net_.history) == 4


def test_the_net_is_a_skorch_net_with_the_history(network, iris):
    X, y = iris
    network.set_params(callbacks=[Counting()], early_stopping=True).fit(X, y)
    net = network.net_
    assert isinstance(net, skorch.NeuralNet)
    assert_allclose(net.history[:, "train_loss"], network.loss_curve_)
    assert_allclose(net.history[:, "valid_loss"], network.history_.valid_loss)
    assert net.history[:, "epoch"] == [1, 2, 3, 4]
    assert net.module_ is network.module_
