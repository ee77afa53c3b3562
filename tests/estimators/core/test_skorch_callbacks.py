"""Every callback of skorch's does in a fit of ours what it does in a fit of skorch's.

Both nets start from the same weights and take full-batch steps, so their histories agree
to rounding.
"""

import copy
import io
import pickle
import re
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, f1_score, get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    SacredLogger,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
)
from skorch.dataset import Dataset
from skorch.helper import SkorchDoctor, predefined_split
from torch import nn
from torch.optim import lr_scheduler

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    Quantized,
    RNNClassifier,
)

pytestmark = pytest.mark.oldest

N_EPOCHS = 7
MOMENTUM = partial(torch.optim.SGD, momentum=0.9)
OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "momentum": MOMENTUM,
    "nesterov": partial(MOMENTUM, nesterov=True),
    "rmsprop": partial(torch.optim.RMSprop, alpha=0.999),
}


@pytest.fixture(scope="module")
def rows():
    """Rows without twins: training and validation part, in float32."""
    X, y = load_iris(return_X_y=True)
    X, first = np.unique(X, axis=0, return_index=True)
    X, y = StandardScaler().fit_transform(X).astype("float32"), y[first]
    part = np.random.default_rng(0).permutation(len(X)) % 3 > 0
    return X[part], y[part], X[~part], y[~part]


def network(callbacks=None, optimizer="adam", **params):
    defaults = {
        "activation": "tanh",
        "dropout": 0.0,
        "learning_rate": 0.03,
        "learning_rate_schedule": "constant",
        "weight_decay": 0.0,
        "batch_size": 1000,
        "max_epochs": N_EPOCHS,
        "n_iter_no_change": 1000,
        "restore_best": False,
        "random_state": 0,
    }
    defaults.update(params)
    return MLPClassifier((6,), callbacks=callbacks, optimizer=optimizer, **defaults)


def both(rows, make, optimizer="adam", **params):
    """Fit ours and skorch's with a fresh set of callbacks each."""
    X, y, X_val, y_val = rows
    ours = network(make(), optimizer, **params).fit(X, y, X_val=X_val, y_val=y_val)
    start = network(None, "sgd", max_epochs=1, learning_rate=1e-300).fit(*rows[:2])
    theirs = skorch.NeuralNetClassifier(
        copy.deepcopy(start.module_),
        criterion=nn.CrossEntropyLoss,
        optimizer=OPTIMIZERS[optimizer],
        lr=params.get("learning_rate", 0.03),
        max_epochs=params.get("max_epochs", N_EPOCHS),
        batch_size=1000,
        train_split=predefined_split(Dataset(X_val, y_val)),
        callbacks=make(),
        verbose=0,
    ).fit(X, y)
    return ours, theirs


def macro_f1(net, X, y):
    assert isinstance(y, np.ndarray)
    return f1_score(y, net.predict(X), average="macro")


class Batchwise(Callback):
    """Records a number for every batch."""

    def on_batch_end(self, net, training, y_pred, **kwargs):
        name = "train_spread" if training else "valid_spread"
        net.history.record_batch(name, y_pred.std().item())


def halve(parameter):
    with torch.no_grad():
        parameter.mul_(0.5)


def every_other_epoch(net):
    return halve if len(net.history) % 2 else lambda p: None


scheduler = partial(partial, LRScheduler)
EPOCH_KEYS = {
    "the epochs of a fit": (lambda: [Batchwise()], ["train_loss", "valid_loss", "valid_acc"]),
    "best of a loss": (lambda: [Batchwise()], ["train_loss_best", "valid_loss_best"]),
    "best of the accuracy": (lambda: [Batchwise()], ["valid_acc_best", "epoch"]),
    "counts of batches": (lambda: [Batchwise()], ["train_batch_count", "valid_batch_count"]),
    "EpochScoring of the validation part": (
        lambda: [EpochScoring("accuracy", lower_is_better=False)],
        ["accuracy", "accuracy_best"],
    ),
    "EpochScoring of the training part": (
        lambda: [EpochScoring("accuracy", name="a", on_train=True)],
        ["a", "a_best"],
    ),
    "EpochScoring without cache": (
        lambda: [
            EpochScoring("accuracy", name="v", use_caching=False),
            EpochScoring("accuracy", name="t", on_train=True, use_caching=False),
        ],
        ["v", "t"],
    ),
    "EpochScoring of probabilities": (
        lambda: [
            EpochScoring("neg_log_loss", name="log"),
            EpochScoring("roc_auc_ovr", name="auc", use_caching=False),
        ],
        ["log", "auc"],
    ),
    "EpochScoring with the net's own score": (lambda: [EpochScoring(None)], ["score"]),
    "EpochScoring with a metric": (
        lambda: [EpochScoring(accuracy_score, name="m")],
        ["m"],
    ),
    "EpochScoring with a scorer": (
        lambda: [EpochScoring(make_scorer(f1_score, average="macro"))],
        ["f1_score"],
    ),
    "EpochScoring with a function of net, X and y": (
        lambda: [
            EpochScoring(macro_f1, name="cached"),
            EpochScoring(macro_f1, name="fresh", use_caching=False),
            EpochScoring(macro_f1, name="train", on_train=True, use_caching=False),
        ],
        ["cached", "fresh", "train"],
    ),
    "BatchScoring": (
        lambda: [
            BatchScoring("accuracy", name="v", lower_is_better=False),
            BatchScoring("accuracy", name="t", on_train=True),
            BatchScoring(macro_f1, name="f", use_caching=False),
            BatchScoring(macro_f1, name="g", on_train=True, use_caching=False),
        ],
        ["v", "v_best", "t", "f", "g", "train_loss"],
    ),
    "PassthroughScoring": (
        lambda: [
            Batchwise(),
            PassthroughScoring("train_spread", on_train=True),
            PassthroughScoring("valid_spread", lower_is_better=False),
        ],
        ["train_spread", "valid_spread", "valid_spread_best"],
    ),
    "EarlyStopping": (
        lambda: [EarlyStopping("train_loss", patience=2, threshold=0.5)],
        ["train_loss"],
    ),
    "Checkpoint without files": (
        lambda: [
            Checkpoint(
                monitor="valid_loss_best",
                f_params=None,
                f_optimizer=None,
                f_criterion=None,
                f_history=None,
            )
        ],
        ["event_cp"],
    ),
    "GradientNormClipping": (lambda: [GradientNormClipping(0.05)], ["train_loss"]),
    "Freezer": (lambda: [Freezer("hidden*")], ["train_loss"]),
    "Initializer": (
        lambda: [Initializer("*weight", fn=partial(nn.init.constant_, val=0.1))],
        ["train_loss"],
    ),
    "ParamMapper": (lambda: [ParamMapper("*", fn=halve, at=3)], ["train_loss"]),
    "ParamMapper with a schedule": (
        lambda: [ParamMapper("*bias", schedule=every_other_epoch)],
        ["train_loss"],
    ),
    "LRScheduler": (lambda: [LRScheduler()], ["event_lr", "train_loss"]),
    **{
        f"LRScheduler({policy}, {', '.join(params)})": (
            partial(
                lambda policy, params: [LRScheduler(policy=policy, **params)],
                policy,
                params,
            ),
            ["event_lr", "train_loss"],
        )
        for policy, params in [
            ("WarmRestartLR", {"max_lr": 0.05, "base_period": 2}),
            ("StepLR", {"step_size": 2, "gamma": 0.5}),
            ("MultiStepLR", {"milestones": [2, 4]}),
            ("ExponentialLR", {"gamma": 0.5}),
            ("CosineAnnealingLR", {"T_max": 4}),
            ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
            ("ReduceLROnPlateau", {"monitor": "valid_loss", "patience": 0, "factor": 0.5, "threshold": 0.5}),
            ("CyclicLR", {"base_lr": 0.001, "max_lr": 0.05, "step_size_up": 2}),
            ("CyclicLR", {"base_lr": 0.001, "max_lr": 0.05, "cycle_momentum": False}),
            (lr_scheduler.OneCycleLR, {"max_lr": 0.05, "total_steps": N_EPOCHS + 1}),
            (lr_scheduler.CosineAnnealingWarmRestarts, {"T_0": 3}),
            (lr_scheduler.PolynomialLR, {"total_iters": 4}),
        ]
    },
}  # fmt: skip


def agree(ours, theirs, keys):
    assert len(ours.history) == len(theirs.history)
    for key in keys:
        wanted, got = theirs.history[:, key], ours.history[:, key]
        assert_allclose(got, wanted, rtol=1e-4, atol=1e-6, err_msg=key)


@pytest.mark.parametrize(("make", "keys"), EPOCH_KEYS.values(), ids=list(EPOCH_KEYS))
def test_a_callback_does_what_it_does_in_skorch(make, keys, rows):
    ours, theirs = both(rows, make)
    agree(ours.net_, theirs, keys)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adam"])
@pytest.mark.parametrize(
    "policy",
    [
        partial(LRScheduler, "CyclicLR", base_lr=0.001, max_lr=0.1, step_size_up=2),
        partial(LRScheduler, lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=8),
    ],
    ids=["CyclicLR", "OneCycleLR"],
)
def test_schedulers_cycle_the_momentum_as_in_torch(policy, optimizer, rows):
    ours, theirs = both(rows, lambda: [policy(step_every="batch")], optimizer)
    agree(ours.net_, theirs, ["train_loss", "valid_loss"])
    lrs = ours.net_.history[:, "batches", 0, "event_lr"]
    assert_allclose(lrs, theirs.history[:, "batches", 0, "event_lr"])
    group, wanted = (n.optimizer_.param_groups[0] for n in (ours.net_, theirs))
    assert_allclose(
        group.get("momentum", group.get("betas")),
        wanted.get("momentum", wanted.get("betas")),
    )


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov"])
def test_what_is_frozen_and_freed_again_keeps_its_momentum(optimizer, rows):
    make = lambda: [Freezer("*weight", at=3), Unfreezer("*weight", at=5)]  # noqa: E731
    agree(*_nets(both(rows, make, optimizer, weight_decay=0.0)), ["train_loss"])


def _nets(pair):
    return pair[0].net_, pair[1]


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "gd"])
def test_a_momentum_that_does_not_exist_cannot_be_cycled(optimizer, rows):
    X, y, *_ = rows
    cyclic = LRScheduler("CyclicLR", base_lr=0.001, max_lr=0.1)
    words = "must support momentum or beta1.*'sgd|rmsprop|gd'.*cycle_momentum=False"
    with pytest.raises(ValueError, match=words):
        network([cyclic], optimizer).fit(X, y)


class Sets(Callback):
    """Sets a number of the optimizer in one epoch, as ``net.set_params`` does."""

    def __init__(self, at, params):
        self.at = at
        self.params = params

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.at:
            net.set_params(**self.params)


@pytest.mark.parametrize(
    ("optimizer", "params"),
    [
        ("momentum", {"lr": 0.2}),
        ("adam", {"lr": 0.2}),
        ("momentum", {"optimizer__momentum": 0.1}),
        ("adam", {"optimizer__betas": (0.1, 0.99)}),
        ("rmsprop", {"optimizer__alpha": 0.3}),
    ],
    ids=str,
)
def test_what_a_callback_sets_in_the_optimizer_counts(optimizer, params, rows):
    agree(*_nets(both(rows, lambda: [Sets(3, params)], optimizer)), ["train_loss"])


def test_weight_decay_that_a_callback_sets_counts(rows):
    X, y, *_ = rows
    decay = {"optimizer__weight_decay": 0.5}
    late = network([Sets(1, decay)], "adamw", weight_decay=0.0).fit(X, y)
    early = network(None, "adamw", weight_decay=0.5).fit(X, y)
    assert_allclose(late.predict_proba(X), early.predict_proba(X))


@pytest.mark.parametrize("callback", ["scheduler", "setter"])
def test_a_callback_that_sets_the_rate_replaces_the_schedule(callback, rows):
    X, y, *_ = rows
    made = {
        "scheduler": LRScheduler("StepLR", step_size=2, gamma=0.1),
        "setter": Sets(1, {"lr": 0.123}),
    }[callback]
    fitted = network([made], learning_rate_schedule="cosine").fit(X, y)
    wanted = {
        "scheduler": 0.03 * 0.1 ** (np.arange(N_EPOCHS) // 2),
        "setter": np.full(N_EPOCHS, 0.123),
    }[callback]
    assert_allclose(fitted.net_.history[:, "learning_rate"], wanted)


def test_a_callback_that_leaves_the_rate_alone_leaves_the_schedule(rows):
    X, y, *_ = rows
    params = {"learning_rate_schedule": "cosine", "warmup": 2}
    watched = network([Batchwise()], **params).fit(X, y)
    assert_array_equal(
        watched.history_.learning_rate,
        network(**params).fit(X, y).history_.learning_rate,
    )


# Parameters of callbacks


LISTS = {
    "instances": lambda: [EarlyStopping("train_loss", patience=3), EpochTimer()],
    "pairs": lambda: [("stop", EarlyStopping()), ["time", EpochTimer()]],
    "classes": lambda: [EarlyStopping, ("time", EpochTimer)],
    "twins": lambda: [EpochTimer(), EarlyStopping(), EpochTimer, EarlyStopping()],
    "a twin with a name": lambda: [EpochTimer(), ("mine", EpochTimer())],
}


@pytest.mark.parametrize("make", LISTS.values(), ids=list(LISTS))
def test_callbacks_have_the_names_that_skorch_gives_them(make):
    theirs = skorch.NeuralNet(nn.Identity, nn.MSELoss, callbacks=make())
    wanted = [name for name, _ in theirs._uniquely_named_callbacks()]
    defaults = ("epoch_timer", "train_loss", "valid_loss", "print_log")
    wanted = {name for name in wanted if name not in defaults}
    params = network(make()).get_params()
    got = {k.removeprefix("callbacks__") for k in params if k.startswith("callbacks__")}
    assert {name for name in got if "__" not in name} == wanted
    assert set(network(make()).get_params(deep=False)) < set(params)
    assert "callbacks__" not in "".join(network(make()).get_params(deep=False))


def test_parameters_of_callbacks_are_got_and_set_by_name():
    net = network([EarlyStopping(), ("mine", EpochScoring("accuracy"))])
    assert net.get_params()["callbacks__EarlyStopping__patience"] == 5
    net.set_params(callbacks__EarlyStopping__patience=2, callbacks__mine__name="acc")
    twin = clone(net)
    assert twin.callbacks[0] is not net.callbacks[0]
    for one in (net, twin):
        assert one.callbacks[0].patience == 2
        assert one.callbacks[1][0] == "mine"
        assert one.get_params()["callbacks__mine__name"] == "acc"
    timer = EpochTimer()
    twin.set_params(callbacks__mine=timer, callbacks__EarlyStopping=None)
    assert twin.callbacks == [("mine", timer)]
    assert len(net.callbacks) == 2


def test_an_item_is_replaced_before_its_parameters_are_set():
    old, new = EarlyStopping(patience=1), EarlyStopping(patience=2)
    net = network([old])
    net.set_params(
        callbacks__EarlyStopping__patience=7, callbacks__EarlyStopping=new
    )  # fmt: skip
    assert (old.patience, new.patience) == (1, 7)
    assert net.callbacks == [new]


def test_a_class_becomes_a_callback_with_the_parameters():
    net = network([EarlyStopping]).set_params(callbacks__EarlyStopping__patience=9)
    assert net.callbacks[0].patience == 9


def test_parameters_of_parameters_of_callbacks():
    checkpoint = Checkpoint(fn_prefix="one")
    net = network([LoadInitState(checkpoint)])
    net.set_params(callbacks__LoadInitState__checkpoint__fn_prefix="two")
    assert checkpoint.fn_prefix == "two"


@pytest.mark.parametrize(
    ("callbacks", "params", "words"),
    [
        (None, {"callbacks__A__b": 1}, "its list of callbacks has none"),
        ([EpochTimer()], {"callbacks__A": None}, "callbacks has EpochTimer"),
        ([EpochTimer()], {"callbacks__EpochTimer": None, "callbacks__EpochTimer__a": 1}, "is None and has no"),
        ([EpochTimer()], {"callbacks__EpochTimer__nonsense": 1}, "nonsense"),
    ],
)  # fmt: skip
def test_a_wrong_name_of_a_callback_is_named(callbacks, params, words):
    with pytest.raises(ValueError, match=words):
        network(callbacks).set_params(**params)


def test_a_search_over_a_pipeline_finds_parameters_of_callbacks(rows):
    X, y, *_ = rows
    stop = EarlyStopping("train_loss", patience=1, threshold=0.9, threshold_mode="abs")
    pipe = make_pipeline(StandardScaler(), network([stop, Batchwise()]))
    grid = {
        "mlpclassifier__callbacks__EarlyStopping__patience": [1, 3],
        "mlpclassifier__callbacks__Batchwise": [None, EpochTimer()],
    }
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(X, y)
    best = search.best_estimator_[-1]
    assert best.n_iter_ == best.callbacks[0].patience + 1
    assert stop.patience == 1
    for params in ParameterGrid(grid):
        final = clone(pipe).set_params(**params).fit(X, y)[-1]
        patience = params["mlpclassifier__callbacks__EarlyStopping__patience"]
        assert final.n_iter_ == patience + 1
        assert [type(cb) for cb in final.callbacks] == [EarlyStopping] + (
            [EpochTimer] if params["mlpclassifier__callbacks__Batchwise"] else []
        )


# What a callback finds at the net


class Looks(Callback):
    """Keeps what it finds at the net when training begins."""

    def on_train_begin(self, net, X, y, **kwargs):
        self.X_, self.y_ = X, y
        names = ("lr", "max_epochs", "batch_size", "verbose", "warm_start", "device")
        self.found_ = {name: getattr(net, name) for name in names}
        self.params_ = net.get_params()
        self.split_ = net.train_split

    def on_epoch_begin(self, net, dataset_train, dataset_valid, **kwargs):
        if self.split_ is not None:
            assert self.split_(dataset_train) == (dataset_train, dataset_valid)
        self.sizes_ = [
            len(batch[1]) for batch in net.get_iterator(dataset_train, training=True)
        ]


def test_the_net_has_the_numbers_of_the_fit(rows):
    X, y, X_val, y_val = rows
    looks = Looks()
    fitted = network(
        [looks], batch_size=16, warm_start=True, learning_rate=0.02
    ).fit(X, y, X_val=X_val, y_val=y_val)  # fmt: skip
    wanted = {
        "lr": 0.02, "max_epochs": N_EPOCHS, "batch_size": 16, "verbose": 0,
        "warm_start": True, "device": "cpu",
    }  # fmt: skip
    assert looks.found_ == wanted
    assert looks.X_ is X
    assert looks.y_ is y
    assert looks.sizes_ == [16] * (len(X) // 16) + [len(X) % 16]
    assert {name: getattr(fitted.net_, name) for name in wanted} == wanted
    plain = clone(fitted).set_params(callbacks=None).fit(X, y)
    assert {name: getattr(plain.net_, name) for name in wanted} == wanted


@pytest.mark.parametrize("params", [{"batch_size": "auto"}, {"max_epochs": "auto"}])
def test_auto_is_a_number_at_the_net(params, rows):
    X, y, *_ = rows
    looks = Looks()
    fitted = network([looks], **{"max_epochs": 2, "batch_size": 64, **params}).fit(X, y)
    assert looks.found_["max_epochs"] == fitted.n_iter_
    batches = fitted.net_.history[-1, "batches"]
    trained = [batch for batch in batches if "train_loss" in batch]
    n_rows = sum(batch["train_batch_size"] for batch in trained)
    assert len(trained) == -(-n_rows // looks.found_["batch_size"])


def test_the_progress_bar_knows_the_number_of_batches(rows, monkeypatch):
    X, y, X_val, y_val = rows
    totals = []

    class Bar:
        def __init__(self, total, leave):
            self.total, self.n = total, 0

        def set_postfix(self, postfix, refresh):
            self.postfix = postfix

        def update(self):
            self.n += 1

        def close(self):
            totals.append((self.total, self.n, sorted(self.postfix)))

    monkeypatch.setattr("skorch.callbacks.logging.tqdm.tqdm", Bar)
    bar = ProgressBar(detect_notebook=False)
    network([bar], batch_size=16, max_epochs=2).fit(X, y, X_val=X_val, y_val=y_val)
    n = -(-len(X) // 16) + 1
    assert totals == [(n, n, ["valid_loss"])] * 2


def test_epoch_timer_measures_seconds(rows):
    class Sleeps(Callback):
        def on_batch_begin(self, net, **kwargs):
            time.sleep(0.05)

    X, y, *_ = rows
    timed = network([EpochTimer(), Sleeps()], max_epochs=2).fit(X, y)
    assert min(timed.net_.history[:, "dur"]) > 0.05


class Writer:
    """Notes what a logger would send away, in the place of a service."""

    def __init__(self):
        self.sent = []

    def add_scalar(self, tag, scalar_value, global_step):
        self.sent.append((tag, global_step, scalar_value))

    def log_scalar(self, name, value, *step):
        self.sent.append((name, *step, value))

    def close(self):
        self.sent.append(("closed", 0, 0.0))


@pytest.mark.parametrize("logger", [TensorBoard, SacredLogger])
def test_loggers_send_what_they_send_in_skorch(logger, rows):
    writers = []

    def make():
        writers.append(Writer())
        if logger is TensorBoard:
            return [TensorBoard(writers[-1], keys_ignored=["learning_rate", "dur"])]
        batches = {"log_on_batch_end": True}
        return [SacredLogger(writers[-1], keys_ignored=["learning_rate"], **batches)]

    both(rows, make, max_epochs=2)
    ours, theirs = (
        {tuple(call[:-1]): call[-1] for call in writer.sent} for writer in writers
    )
    extra = {key for key in set(ours) - set(theirs) if "score" not in key[0]}
    assert not set(theirs) - set(ours)
    assert not {key for key in extra if "batch_count" not in key[0]}
    for key, value in theirs.items():
        if "dur" not in key[0]:
            assert_allclose(ours[key], value, rtol=1e-4, err_msg=str(key))


# Those that send to a service over a client of its own.
REMOTE = {"MlflowLogger", "NeptuneLogger", "WandbLogger"}


def test_every_callback_of_skorch_has_a_row_here():
    text = Path(__file__).read_text()
    names = set(skorch.callbacks.__all__) - REMOTE
    used = set(re.findall(r"\b(\w+)\(", text)) | set(re.findall(r'"(\w+LR)"', text))
    assert names - used == {"Callback"}


def test_print_log_stands_last_and_prints_what_others_record(rows):
    X, y, *_ = rows
    lines = []
    score = EpochScoring("accuracy", name="mine", on_train=True)
    network([PrintLog(sink=lines.append), score], max_epochs=2).fit(X, y)
    assert "mine" in lines[0]
    assert len(lines) == 2 + 2


def test_a_validation_score_without_a_validation_part_says_how_to_get_one(rows):
    X, y, *_ = rows
    with pytest.raises(ValueError, match=r"valid_loss.*early_stopping=True"):
        network([EarlyStopping()], early_stopping=False).fit(X, y)


class Stops(Callback):
    """Ends training in the second batch of the second epoch."""

    def on_batch_end(self, net, training, **kwargs):
        history = net.history
        if training and len(history) == 2 and len(history[-1, "batches"]) == 2:
            raise KeyboardInterrupt


def test_an_interrupt_in_a_batch_ends_training_there(rows):
    X, y, *_ = rows
    fitted = network([Stops(), Batchwise()], batch_size=16).fit(X, y)
    assert len(fitted.net_.history[-1, "batches"]) == 2
    assert (fitted.n_iter_, fitted.stop_reason_) == (2, "callback")


@pytest.mark.parametrize("name", ["binary", "multilabel", "regression"])
def test_scores_agree_with_those_of_the_estimator(name, rows):
    X, y, X_val, y_val = rows
    targets = {
        "binary": lambda y: np.where(y == 0, "no", "yes"),
        "multilabel": lambda y: np.stack([y == 0, y > 0, y == 2], 1).astype(int),
        "regression": lambda y: 5.0 + 3.0 * y,
    }[name]
    kinds = {
        "binary": ["accuracy", "roc_auc", "f1", "neg_log_loss", "average_precision"],
        "multilabel": ["accuracy", "f1_macro", "roc_auc"],
        "regression": ["r2", "explained_variance"],
    }[name]
    scores = [
        EpochScoring(s, name=f"{s}{c}", use_caching=c) for s in kinds for c in (0, 1)
    ]
    params = {"hidden_layer_sizes": (6,), "max_epochs": 3, "random_state": 0}
    cls = MLPRegressor if name == "regression" else MLPClassifier
    net = cls(callbacks=scores, restore_best=False, **params)
    scored = net.fit(X, targets(y), X_val=X_val, y_val=targets(y_val)).net_
    truth = targets(y_val)
    if name == "binary":  # the same network, of labels that every scorer takes
        net = cls(restore_best=False, **params).fit(
            X, y > 0, X_val=X_val, y_val=y_val > 0
        )
        truth = y_val > 0
    for kind in kinds:
        wanted = get_scorer(kind)(net, X_val, truth)
        for cached in (0, 1):
            got = scored.history[-1, f"{kind}{cached}"]
            assert_allclose(got, wanted, rtol=1e-5, err_msg=kind)


class Predicts(Callback):
    """Predicts in every batch: skorch leaves the module in evaluation mode then."""

    def __init__(self, X):
        self.X = X

    def on_batch_begin(self, net, training, **kwargs):
        self.before_ = net.predict(self.X)

    def on_batch_end(self, net, training, **kwargs):
        assert net.predict(self.X).shape == (self.X.shape[0],)
        assert net.predict_proba(self.X).shape == (self.X.shape[0], 3)


@pytest.mark.parametrize("container", [np.asarray, np.float64, pd.DataFrame, csr_array])
def test_a_callback_may_predict_without_changing_the_training(container, rows):
    X, y, *_ = rows
    given = container(X)
    params = {"dropout": 0.5, "normalization": "batch", "batch_size": 32}
    watched = network([Predicts(given)], **params).fit(given, y)
    plain = network(**params).fit(given, y)
    assert_array_equal(watched.predict_proba(given), plain.predict_proba(given))


def test_predictions_of_the_net_leave_the_module_in_its_mode(rows):
    X, y, *_ = rows
    fitted = network(dropout=0.5).fit(X, y)
    before = fitted.predict_proba(X)
    fitted.net_.forward(X, training=True)
    assert_array_equal(fitted.predict_proba(X), before)
    assert_array_equal(fitted.net_.predict(X), fitted.predict(X))
    assert_allclose(fitted.net_.predict_proba(X), before, rtol=1e-5)


TEXTS = ["a good film", "a bad film", "very bad", "good, very good"] * 10
KINDS = {
    "texts": (RNNClassifier, lambda rng: TEXTS),
    "sequences": (
        RNNClassifier,
        lambda rng: [rng.normal(size=(3 + i % 5, 2)) for i in range(40)],
    ),
    "images": (
        CNNClassifier,
        lambda rng: rng.integers(0, 255, (40, 8, 8, 1), dtype=np.uint8),
    ),
}


@pytest.mark.parametrize(("cls", "make"), KINDS.values(), ids=list(KINDS))
def test_scores_of_what_is_no_table(cls, make):
    X, y = make(np.random.default_rng(0)), np.array([1, 0, 0, 1] * 10)
    scores = [
        EpochScoring("accuracy", name="fresh", on_train=True, use_caching=False),
        EpochScoring(lambda net, *_: accuracy_score(y, net.predict(X)), name="given"),
        BatchScoring("accuracy", name="batch", on_train=True, use_caching=False),
    ]
    net = cls(callbacks=scores, max_epochs=2, restore_best=False, random_state=0)
    net.fit(X, y, X_val=X, y_val=y)
    for name in ("fresh", "given"):
        assert net.net_.history[-1, name] == net.score(X, y)


def test_the_net_of_a_quantized_network_predicts(rows):
    X, y, *_ = rows
    quantized = Quantized(network()).fit(X, y).estimator_
    assert_array_equal(quantized.net_.predict(X), quantized.predict(X))


def shapes_agree(net, X, y):
    return float(y.shape == net.predict(X).shape)


@pytest.mark.parametrize("cached", [False, True])
def test_binary_targets_have_one_axis_as_the_predictions_have(cached, rows):
    X, y, X_val, y_val = rows
    score = EpochScoring(shapes_agree, name="same", use_caching=cached)
    net = network([score], max_epochs=1)
    net.fit(X, y > 0, X_val=X_val, y_val=y_val > 0)
    assert net.net_.history[-1, "same"] == 1.0


def test_lbfgs_shows_its_one_batch(rows):
    X, y, *_ = rows
    score = EpochScoring("accuracy", name="acc", on_train=True)
    net = network([score], "lbfgs", max_epochs=4).fit(X, y)
    history = net.net_.history
    assert history[:, "train_batch_count"] == [1] * net.n_iter_
    assert history[-1, "batches", 0, "train_batch_size"] == len(X)
    assert history[-1, "acc"] == net.score(X, y)


# Files


def test_checkpoints_and_initial_states_continue_a_run_as_in_skorch(rows, tmp_path):
    def fit(callbacks, folder):
        return both(rows, lambda: callbacks(tmp_path / folder))

    def make(folder):
        end = TrainEndCheckpoint(dirname=str(folder))
        return [end, LoadInitState(end)]

    folders = iter("abcd")
    first = both(rows, lambda: make(tmp_path / next(folders)))
    folders = iter("abcd")
    second = both(rows, lambda: make(tmp_path / next(folders)))
    agree(*_nets(second), ["train_loss", "valid_loss", "epoch"])
    assert second[0].net_.history[:, "epoch"] == list(range(1, 2 * N_EPOCHS + 1))
    # As if it had never stopped: weights, moments and step count were loaded.
    whole = network([], max_epochs=2 * N_EPOCHS)
    whole.fit(*rows[:2], X_val=rows[2], y_val=rows[3])
    assert_allclose(second[0].predict_proba(rows[0]), whole.predict_proba(rows[0]), rtol=1e-4)  # fmt: skip
    assert len(second[0].loss_curve_) == N_EPOCHS
    assert first[0].n_iter_ == N_EPOCHS


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_torch_loads_the_state_of_the_optimizer(optimizer, rows, tmp_path):
    X, y, *_ = rows
    end = TrainEndCheckpoint(dirname=str(tmp_path))
    fitted = network([end], optimizer).fit(X, y)
    stored = torch.load(tmp_path / "train_end_optimizer.pt", weights_only=True)
    theirs = OPTIMIZERS[optimizer](fitted.module_.parameters(), lr=1.0)
    theirs.load_state_dict(stored)
    assert theirs.param_groups[0]["lr"] == 0.03
    kept = {"adam": 2, "momentum": 1, "nesterov": 1, "rmsprop": 1, "sgd": 0}[optimizer]
    for values in theirs.state.values():
        assert len(values) == kept + 1
        assert float(values["step"]) == N_EPOCHS


def test_partial_fit_continues_history_and_schedule(rows):
    X, y, *_ = rows
    step = LRScheduler("StepLR", step_size=2, gamma=0.1)
    net = network([step, Batchwise()])
    for _ in range(4):
        net.partial_fit(X, y, classes=[0, 1, 2])
    assert net.net_.history[:, "epoch"] == [1, 2, 3, 4]
    assert_allclose(net.net_.history[:, "train_loss"], net.loss_curve_)
    assert_allclose(
        net.net_.history[:, "learning_rate"], [0.03, 0.03, 0.003, 0.003], rtol=1e-6
    )


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_pickled_net_predicts(optimizer, rows, tmp_path):
    X, y, X_val, y_val = rows
    file = str(tmp_path / "net.pkl")
    checkpoint = Checkpoint(monitor=None, f_pickle=file, dirname="", f_params=None,
        f_optimizer=None, f_criterion=None, f_history=None)  # fmt: skip
    fitted = network([checkpoint], optimizer).fit(X, y, X_val=X_val, y_val=y_val)
    with open(file, "rb") as stored:
        net = pickle.load(stored)
    assert_array_equal(net.predict(X), fitted.predict(X))
    assert len(net.history) == fitted.n_iter_
    size = len(pickle.dumps(fitted.net_))
    assert size < 60_000  # no rows of the fit


def test_parameters_are_saved_and_loaded_after_the_fit(rows):
    X, y, *_ = rows
    one, other = network().fit(X, y), network(max_epochs=2).fit(X, y)
    file = io.BytesIO()
    one.net_.save_params(f_params=file)
    file.seek(0)
    other.net_.load_params(f_params=file)
    assert_array_equal(other.predict_proba(X), one.predict_proba(X))


class NoisyNet(nn.Module):
    """Draws random numbers of its own in training."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(n_features, 8), nn.Dropout(0.5))
        self.output = nn.Linear(8, n_outputs)

    def forward(self, x):
        if self.training:
            x = x + 0.1 * torch.randn_like(x)
        return self.output(self.inner(x))


class PicklesAll(Callback):
    """Pickles and copies module and net in every event."""

    def _note(self, net):
        self.twins_ = None
        self.size_ = len(pickle.dumps(net))
        self.twins_ = [
            copy.deepcopy(net.module_),
            pickle.loads(pickle.dumps(net.module_)),
            pickle.loads(pickle.dumps(net)).module_,
            copy.deepcopy(net).module_,
        ]

    def on_train_begin(self, net, **kwargs):
        self._note(net)

    def on_batch_end(self, net, **kwargs):
        self._note(net)

    def on_epoch_end(self, net, **kwargs):
        self._note(net)

    def on_train_end(self, net, **kwargs):
        self._note(net)


@pytest.mark.parametrize("optimizer", ["adamw", "lbfgs"])
@pytest.mark.parametrize("kind", ["a module of one's own", "ours"])
def test_everything_can_be_pickled_while_it_is_trained(kind, optimizer, rows):
    X, y, *_ = rows
    params = {"max_epochs": 2, "optimizer": optimizer, "random_state": 0}

    def make(callbacks):
        if kind == "ours":
            shape = {"hidden_layer_sizes": (64,) * 6, "normalization": "batch"}
            return MLPClassifier(**shape, callbacks=callbacks, **params)
        return ModuleClassifier(NoisyNet, callbacks=callbacks, **params)

    callback = PicklesAll()
    net = make([callback]).fit(X, y)
    assert_array_equal(net.predict_proba(X), make(None).fit(X, y).predict_proba(X))
    wanted = net.module_(torch.from_numpy(X))
    for twin in callback.twins_:
        assert type(twin) is type(net.module_)
        assert torch.equal(twin.eval()(torch.from_numpy(X)), wanted)
    values = 4 * sum(p.numel() for p in net.module_.parameters())
    assert callback.size_ < 4 * values + 100_000  # with two moments each


# Which epoch's weights are kept


class Restores(Callback):
    """Puts the weights of an epoch back when training ends."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            self.state_ = copy.deepcopy(net.module_.state_dict())

    def on_train_end(self, net, **kwargs):
        net.module_.load_state_dict(self.state_)


def _lowest(net):
    return int(np.argmin(net.net_.history[:, "valid_loss"])) + 1


@pytest.mark.parametrize("restore_best", [False, True])
@pytest.mark.parametrize("kind", ["early stopping", "checkpoint", "own", "none"])
def test_best_epoch_is_that_of_the_weights_that_a_callback_restores(
    kind, restore_best, rows, tmp_path
):
    X, y, X_val, y_val = rows
    last = N_EPOCHS
    callback, wanted = {
        "early stopping": (
            EarlyStopping("noise", patience=3, load_best=True, sink=lambda text: None),
            3,
        ),
        "checkpoint": (
            Checkpoint("noise_best", dirname=str(tmp_path), load_best=True),
            3,
        ),
        "own": (Restores(4), 4),
        "none": (Batchwise(), None),
    }[kind]

    class Noise(Callback):
        def on_epoch_end(self, net, **kwargs):
            epoch = len(net.history)
            net.history.record("noise", abs(epoch - 3.0))
            net.history.record("noise_best", epoch <= 3)

    # Far too large a rate: validation and noise disagree on the best epoch.
    fitted = network(
        [Noise(), callback], learning_rate=1.0, restore_best=restore_best
    ).fit(X, y, X_val=X_val, y_val=y_val)  # fmt: skip
    if wanted is None:
        losses = fitted.history_.valid_loss
        wanted = int(losses.argmin()) + 1 if restore_best else last
    assert fitted.best_epoch_ == wanted
    shorter = network(learning_rate=1.0, max_epochs=wanted).fit(X, y)
    assert_allclose(shorter.predict_proba(X), fitted.predict_proba(X), rtol=1e-3, atol=1e-6)  # fmt: skip


# What skorch cannot do here


def test_training_net_by_skorch_says_what_to_do_instead(rows):
    X, y, *_ = rows
    net = network().fit(X, y)
    before = net.predict_proba(X)
    for call in (net.net_.fit, net.net_.partial_fit, SkorchDoctor(net.net_).fit):
        with pytest.raises(TypeError, match=r"estimator\.partial_fit\(X, y\)"):
            call(X, y)
    assert_array_equal(net.predict_proba(X), before)


def test_the_doctor_looks_at_a_net_made_as_the_error_says(rows):
    X, y, *_ = rows
    net = network(activation="relu").fit(X, y)
    own = skorch.NeuralNet(
        copy.deepcopy(net.module_), net.net_.criterion_, train_split=None, verbose=0
    )
    doctor = SkorchDoctor(own).fit(X, y.astype("int64"))
    assert "output.weight" in doctor.gradient_recs_["module"][0]
    assert len(doctor.activation_recs_["module"]) == own.max_epochs


class Sized(nn.Module):
    def __init__(self, n_outputs, input_dim=4):
        super().__init__()
        self.layer = nn.Linear(input_dim, n_outputs)

    def forward(self, x):
        return self.layer(x)


def test_a_shape_setter_finds_the_shape_set(rows):
    X, y, *_ = rows
    net = ModuleClassifier(Sized, callbacks=[InputShapeSetter()], max_epochs=1)
    assert net.fit(X, y).module_.layer.in_features == 4


def test_a_callback_cannot_rebuild_the_network(rows):
    X, y, *_ = rows
    with pytest.raises(ValueError, match=r"module__width=3.*of the estimator instead"):
        network([Sets(1, {"module__width": 3})]).fit(X, y)
