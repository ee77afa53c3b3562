"""Networks that begin as pretrained ones."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import sklearn_deep
from sklearn_deep import (
    CNNClassifier,
    FineTuned,
    InvalidParameterError,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    NegativeTransferError,
    NegativeTransferWarning,
    Pruned,
    Quantized,
    TabularClassifier,
    ValidationHoldout,
    to_onnx,
)
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.training._train import train

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 6))
Y = np.digitize(X[:, 0] + X[:, 1], [-1, 0, 1])  # classes 0 to 3
OLD, NEW = Y < 2, Y >= 1  # class 1 is in both
IMAGES = RNG.normal(size=(90, 6, 6, 1))
FAST = {"max_epochs": 6, "batch_size": 32, "random_state": 0, "early_stopping": False}


def mlp(**params):
    return MLPClassifier(**{**FAST, **params})


@pytest.fixture(scope="module")
def source():
    net = mlp(hidden_layer_sizes=(12, 8), normalization="batch", max_epochs=15)
    return net.fit(X[OLD], Y[OLD])


@pytest.fixture(scope="module")
def images_source():
    net = CNNClassifier(conv_channels=(4, 4), **FAST)
    return net.fit(IMAGES, RNG.integers(0, 2, 90))


def tuned(source, **params):
    return FineTuned(mlp(), source, on_worse="ignore", **params).fit(X[NEW], Y[NEW])


def moved(model, source):
    before = source.module_.state_dict()
    after = model.estimator_.module_.state_dict()
    return {
        name for name, value in before.items() if not torch.equal(value, after[name])
    }


FREEZES = {
    "auto": ("auto", {"output"}),
    "one stage": (1, {"hidden.1", "output"}),
    "all but one": (-1, {"output"}),
    "share": (0.4, {"hidden.1", "output"}),
    "stage by name": ("hidden.0", {"hidden.1", "output"}),
    "patterns": (["hidden.0*", "hidden.1.*"], {"output"}),
    "nothing": (None, {"hidden.0", "hidden.1", "output"}),
}


@pytest.mark.parametrize("freeze", FREEZES)
def test_what_is_frozen_keeps_its_bits_and_the_rest_is_trained(source, freeze):
    freeze, trained = FREEZES[freeze]
    model = tuned(source, freeze=freeze)
    changed = {".".join(n.split(".")[:2]) for n in moved(model, source)}
    changed = {"output" if name.startswith("output") else name for name in changed}
    assert changed == trained
    layers = model.layers_.set_index("layer")["trainable"]
    assert all(
        flag == any(name.startswith(part) for part in trained)
        for name, flag in layers.items()
    )


@pytest.mark.parametrize(
    "mover",
    [
        {"weight_decay": 0.5},
        {"optimizer": "momentum", "learning_rate": 0.01},
        {"l1": 0.1, "gradient_clip": 0.01},
        {"dropout": 0.3},
        {"optimizer": "lbfgs"},
    ],
    ids=str,
)
def test_frozen_is_frozen_whatever_moves_the_rest(source, mover):
    model = FineTuned(mlp(**mover), source, freeze=1, on_worse="ignore")
    changed = moved(model.fit(X[NEW], Y[NEW]), source)
    assert not any(name.startswith("hidden.0.") for name in changed)
    assert not any("running" in name for name in changed)


def test_trained_moments_are_those_of_layers_that_are_not_frozen(source):
    changed = moved(tuned(source, freeze=1, batch_norm="trained"), source)
    assert "hidden.1.layers.1.running_mean" in changed
    assert "hidden.0.layers.1.running_mean" not in changed


def test_a_pattern_that_selects_nothing_lists_stages_and_parameters(source):
    with pytest.raises(
        ValueError, match=r"(?s)'blocks.*selects nothing.*hidden\.0.*wei"
    ):
        tuned(source, freeze="blocks*")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"freeze": ["hidden*", "output*"], "reset": "hidden.0"}, None),
        ({"unfreeze_at": {1: "blocks.1"}}, "names the stage 'blocks.1'"),
        ({"freeze": 5}, "must leave a stage to train"),
    ],
)
def test_stages_that_are_not_there_are_an_error(source, params, message):
    if message is None:
        tuned(source, **params)
        return
    with pytest.raises(InvalidParameterError, match=message):
        tuned(source, **params)


UNFREEZE = {
    "epoch": (3, [True, True]),
    "stages": ({2: "hidden.1"}, [False, True]),
    "gradual": ("gradual", [True, True]),
    "too late": (100, [False, False]),
}


@pytest.mark.parametrize("unfreeze_at", UNFREEZE)
def test_stages_are_unfrozen_at_their_epochs(source, unfreeze_at):
    when, trains = UNFREEZE[unfreeze_at]
    model = tuned(source, unfreeze_at=when)
    changed = moved(model, source)
    weights = [f"hidden.{i}.layers.0.weight" for i in (0, 1)]
    assert [name in changed for name in weights] == trains
    assert model.history_["epoch"].tolist() == [1, 2, 3, 4, 5, 6]


def test_the_head_alone_is_trained_first(source):
    model = tuned(source, freeze=None, head_epochs=6)
    assert all(name.startswith("output") for name in moved(model, source))


def test_lower_stages_learn_slower(source):
    def change(decay):
        model = tuned(source, freeze=None, layer_decay=decay, head_epochs=0)
        name = "hidden.0.layers.0.weight"
        after, before = model.module_.state_dict(), source.module_.state_dict()
        return float((after[name] - before[name]).abs().mean())

    assert change(0.1) < 0.1 * change(1.0)


def test_the_rest_trains_as_it_does_behind_the_whole_network(source, monkeypatch):
    cut = tuned(source, freeze=1)
    module = sklearn_deep.transfer.fine_tuning._phases
    monkeypatch.setattr(module, "cut_of", lambda *args: None)
    whole = tuned(source, freeze=1)
    assert_allclose(cut.predict_proba(X), whole.predict_proba(X), rtol=1e-6, atol=1e-8)


def test_the_frozen_first_part_is_not_in_the_training(source, monkeypatch):
    module, trained = sklearn_deep.transfer.fine_tuning._phases, []

    def recorded(job, *args):
        trained.append({name for name, _ in job.module.named_parameters()})
        return train(job, *args)

    monkeypatch.setattr(module, "train", recorded)
    for freeze in (1, None):
        tuned(source, freeze=freeze, head_epochs=0)
    rest, whole = trained
    assert len(rest) == len(whole) - 4  # weight and bias, also of the normalisation


def test_the_schedule_goes_on_from_phase_to_phase(source):
    params = {"learning_rate_schedule": "cosine", "max_epochs": 6}
    alone = mlp(**params).fit(X[NEW], Y[NEW])
    model = FineTuned(mlp(**params), source, on_worse="ignore", freeze=None)
    model.set_params(head_epochs=2, layer_decay=1.0).fit(X[NEW], Y[NEW])
    for name in ("epoch", "learning_rate"):
        assert_array_equal(model.history_[name], alone.history_[name])


def test_only_the_last_phase_stops_early(source):
    network = mlp(n_iter_no_change=1, tol=100.0, max_epochs=9)
    model = FineTuned(network, source, on_worse="ignore", freeze=None, head_epochs=4)
    # The first epoch of the last phase is an improvement, and the second one is none.
    assert model.fit(X[NEW], Y[NEW]).n_iter_ == 4 + 2


def test_convolutions_are_applied_once_per_row(images_source, monkeypatch):
    module = sklearn_deep.transfer.fine_tuning._prefix
    seen = []
    apply = module.raw_outputs

    def counted(first, x):
        seen.append(len(x))
        return apply(first, x)

    monkeypatch.setattr(module, "raw_outputs", counted)
    net = CNNClassifier(**FAST)
    y = RNG.integers(0, 3, 90)
    frozen = FrozenEstimator(copy.deepcopy(images_source))
    model = FineTuned(net, frozen, on_worse="ignore")
    GridSearchCV(model, {"estimator__learning_rate": [1e-3, 1e-2]}, cv=3).fit(IMAGES, y)
    assert sum(n for n in seen if n > 2) == 90  # for 6 epochs, 2 candidates and 3 folds


def test_augmented_rows_are_not_computed_once(images_source):
    net = CNNClassifier(augmentation=sklearn_deep.GaussianNoise(0.5), **FAST)
    plain = FineTuned(CNNClassifier(**FAST), images_source, on_worse="ignore")
    y = RNG.integers(0, 3, 90)
    noisy = FineTuned(net, images_source, on_worse="ignore").fit(IMAGES, y)
    assert noisy.loss_curve_ != plain.fit(IMAGES, y).loss_curve_


# Classes, targets, columns


def test_known_classes_keep_their_outputs(source):
    net = mlp(max_epochs=1, learning_rate=1e-12)
    kept = FineTuned(net, source, reset="new_classes", on_worse="ignore")
    kept.fit(X[OLD], Y[OLD])
    assert_allclose(kept.predict_proba(X), source.predict_proba(X), rtol=1e-6)
    wider = clone(kept).set_params(pretrained=source).fit(X, Y)
    raw, old = wider.decision_function(X), source.decision_function(X)
    assert_allclose(raw[:, 1] - raw[:, 0], old, rtol=1e-6, atol=1e-8)


def test_fewer_classes_are_the_difference_of_their_outputs():
    wide = mlp(hidden_layer_sizes=(8,)).fit(X, Y)
    net = mlp(max_epochs=1, learning_rate=1e-12)
    two = FineTuned(net, wide, reset="new_classes", on_worse="ignore")
    rows = (Y == 1) | (Y == 3)
    two.fit(X[rows], Y[rows])
    raw = wide.decision_function(X)
    assert_allclose(two.decision_function(X), raw[:, 3] - raw[:, 1], rtol=1e-6)


def test_a_regressor_in_other_units_predicts_the_same():
    regressor = MLPRegressor(hidden_layer_sizes=(8,), **FAST).fit(X, 3 * X[:, 0] + 1)
    net = MLPRegressor(**{**FAST, "max_epochs": 1}, learning_rate=1e-12)
    other = FineTuned(net, regressor, reset="new_classes", on_worse="ignore")
    other.fit(X, 50 * X[:, 1] - 7)
    assert_allclose(other.predict(X), regressor.predict(X), rtol=1e-6, atol=1e-8)


def test_a_classifier_becomes_a_regressor_and_back(source):
    net = MLPRegressor(**FAST)
    there = FineTuned(net, source, freeze=None).fit(X, X[:, 0])
    assert there.predict(X).dtype == np.float64
    back = FineTuned(mlp(), there.estimator_, freeze=None).fit(X[NEW], Y[NEW])
    assert_array_equal(back.classes_, [1, 2, 3])


def test_columns_are_found_by_name_and_new_ones_begin_at_zero():
    names = list("abcdef")
    frame = pd.DataFrame(X, columns=names)
    named = mlp(hidden_layer_sizes=(8,)).fit(frame, Y)
    other = frame[["c", "a", "b", "f", "e", "d"]].assign(new=RNG.normal(size=len(X)))
    net = mlp(max_epochs=1, learning_rate=1e-12)
    model = FineTuned(net, named, reset="new_classes", on_worse="ignore")
    model.fit(other, Y)
    assert_allclose(model.predict_proba(other), named.predict_proba(frame), rtol=1e-6)
    weight = model.module_.hidden[0].layers[0].weight
    assert_allclose(weight[:, 6].detach(), 0, atol=1e-10)
    trained = FineTuned(mlp(), named, on_worse="ignore").fit(other, Y)
    assert (trained.module_.hidden[0].layers[0].weight[:, 6] != 0).any()


def test_columns_without_names_have_to_be_as_many(source):
    with pytest.raises(ValueError, match=r"5 columns.*knows 6.*columns='position'"):
        FineTuned(mlp(), source).fit(X[NEW, :5], Y[NEW])
    by_place = FineTuned(mlp(), source, columns="position", on_worse="ignore")
    assert by_place.fit(X[NEW, :5], Y[NEW]).n_features_in_ == 5


def test_frames_without_a_common_column_are_an_error():
    named = mlp(hidden_layer_sizes=(8,)).fit(pd.DataFrame(X, columns=list("abcdef")), Y)
    with pytest.raises(ValueError, match="none of the 2 columns"):
        FineTuned(mlp(), named).fit(pd.DataFrame(X[:, :2], columns=["x", "y"]), Y)


def test_tabular_networks_keep_their_encoding_of_columns():
    frame = pd.DataFrame({"n": X[:, 0], "c": np.where(X[:, 1] > 0, "up", "down")})
    small = {"hidden_layer_sizes": 8, "n_networks": 2, "random_state": 0}
    table = TabularClassifier(**small, max_epochs=5).fit(frame, Y)
    rows = frame[frame["c"] == "up"]
    model = FineTuned(TabularClassifier(max_epochs=3, random_state=0), table)
    model.set_params(on_worse="ignore").fit(rows, Y[rows.index])
    changed = moved(model, table)
    assert changed
    assert all(".output." in name for name in changed)


# Where the network comes from


class Net(nn.Sequential):
    """A module of one's own."""

    def __init__(self, n_features, n_outputs):
        super().__init__(
            nn.Linear(n_features, 8),
            nn.Tanh(),
            nn.Dropout(0.2),
            nn.Linear(8, n_outputs),
        )


def sources(source, tmp_path):
    path = tmp_path / "net.sd"
    sklearn_deep.save(source, path)
    return [source, FrozenEstimator(source), path, str(path)]


def test_every_form_of_a_pretrained_network_gives_the_same(source, tmp_path):
    forms = sources(source, tmp_path)
    expected, *others = (tuned(form).predict_proba(X) for form in forms)
    for other in others:
        assert_allclose(other, expected, rtol=1e-6)


def test_transformers_of_a_pretrained_pipeline_are_used_as_they_are():
    pipe = make_pipeline(StandardScaler(), mlp(hidden_layer_sizes=(8,)))
    pipe.fit(5 * X[OLD] + 2, Y[OLD])
    model = tuned(FrozenEstimator(pipe))
    scaled = pipe[0].transform(X)
    inner = model.estimator_[-1]
    assert_allclose(model.predict_proba(X), inner.predict_proba(scaled))
    assert model.history_["epoch"].max() == 6


def test_a_module_gives_its_weights():
    module = Net(6, 2)
    net = ModuleClassifier(Net, **FAST)
    model = FineTuned(net, module, on_worse="ignore").fit(X, Y)
    assert torch.equal(model.module_[0].weight, module[0].weight.double())
    assert model.module_[3].weight.shape == (4, 8)


def test_a_clone_of_a_fitted_network_is_an_error_with_the_fix(source):
    model = clone(FineTuned(mlp(), source))
    with pytest.raises(NotFittedError, match=r"Wrap .* in a FrozenEstimator"):
        model.fit(X[NEW], Y[NEW])
    search = GridSearchCV(model, {"freeze": [1, 2]}, error_score="raise")
    with pytest.raises(NotFittedError, match="every search"):
        search.fit(X[NEW], Y[NEW])


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (CNNClassifier(), "cannot train a CNNClassifier"),
        (MLPClassifier((5,)), "layers are those of the pretrained network"),
        (MLPClassifier(warm_start=True), "takes no warm_start"),
    ],
)
def test_an_estimator_that_does_not_fit_is_an_error(source, estimator, message):
    with pytest.raises(InvalidParameterError, match=message):
        FineTuned(estimator, source).fit(X[NEW], Y[NEW])


def test_rows_of_another_shape_are_an_error_that_lists_the_values(images_source):
    rows = RNG.normal(size=(30, 8, 8, 1))
    with pytest.raises(ValueError, match=r"hidden\.0\.layers\.0\.weight of .* has"):
        FineTuned(CNNClassifier(**FAST), images_source).fit(rows, Y[:30] > 1)


def test_quantized_networks_are_refused(source):
    quantized = Quantized(mlp(hidden_layer_sizes=(8,))).fit(X, Y)
    with pytest.raises(InvalidParameterError, match="before quantization"):
        tuned(quantized)


# A result below that of the frozen network


def test_the_score_of_the_probe_is_that_of_a_trained_head(source):
    probe = FineTuned(mlp(max_epochs=20), source).fit(X[OLD], Y[OLD])
    assert probe.source_score_ == probe.score(X[OLD], Y[OLD])
    whole = FineTuned(mlp(max_epochs=20), source, freeze=None).fit(X[OLD], Y[OLD])
    assert whole.source_score_ == probe.source_score_


@pytest.fixture
def worse(monkeypatch):
    """Fine-tuning that comes out far below the probe."""
    task = sklearn_deep.transfer.fine_tuning._tuning.TuningTask
    monkeypatch.setattr(task, "scores", lambda self, *nets: (80, [0.4, 0.9]))


@pytest.mark.usefixtures("worse")
def test_a_result_below_the_probe_is_a_warning_or_an_error(source):
    model = FineTuned(mlp(), source, freeze=None)
    with pytest.warns(NegativeTransferWarning, match=r"scores 0\.4.*0\.9"):
        model.fit(X[OLD], Y[OLD])
    with pytest.raises(NegativeTransferError, match=r"scores 0\.4.*0\.9"):
        model.set_params(on_worse="raise").fit(X[OLD], Y[OLD])


@pytest.mark.usefixtures("worse")
def test_falling_back_gives_the_probe(source):
    model = FineTuned(mlp(), source, freeze=None, on_worse="fall_back")
    changed = moved(model.fit(X[OLD], Y[OLD]), source)
    assert changed == {"output.weight", "output.bias"}


def test_ignoring_trains_no_probe(source):
    model = tuned(source, freeze=None)
    assert not hasattr(model, "source_score_")


# As any estimator of scikit-learn


def test_searches_pipelines_and_pickles(source):
    pipe = make_pipeline(StandardScaler(), FineTuned(mlp(), FrozenEstimator(source)))
    grid = {
        "finetuned__estimator__learning_rate": [1e-3, 1e-2],
        "finetuned__freeze": ["auto", None],
    }
    search = GridSearchCV(pipe, grid, cv=2).fit(X[NEW], Y[NEW])
    again = pickle.loads(pickle.dumps(search))
    assert_array_equal(again.predict(X), search.predict(X))
    assert search.score(X[NEW], Y[NEW]) > 0.4


@pytest.mark.parametrize("freeze", ["auto", 1, None])
def test_candidates_train_in_stacks(source, freeze):
    grid = {"estimator__learning_rate": [1e-3, 3e-3, 1e-2]}
    model = FineTuned(mlp(), FrozenEstimator(source), freeze=freeze, on_worse="ignore")
    alone = GridSearchCV(model, grid, cv=2).fit(X[NEW], Y[NEW])
    with parallel_config(backend="stacked"):
        stacked = GridSearchCV(model, grid, cv=2, n_jobs=-1).fit(X[NEW], Y[NEW])
    assert_allclose(
        stacked.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert max(sklearn_deep.stacking_report().stacks) >= 3


def losses_of_candidates(source, backend, **params):
    """Losses of three learning rates in two folds, trained by a backend."""
    grid = {"estimator__learning_rate": [1e-3, 3e-3, 1e-2]}
    model = FineTuned(mlp(), FrozenEstimator(source), on_worse="ignore", **params)
    search = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss", n_jobs=-1)
    with parallel_config(backend=backend):
        results = search.fit(X, Y).cv_results_
    return np.array([results[f"split{fold}_test_score"] for fold in range(2)])


@pytest.mark.parametrize("normalization", [None, "layer", "batch"])
@pytest.mark.parametrize("freeze", ["auto", 1, None])
def test_stacked_candidates_have_the_bits_of_single_fits(freeze, normalization):
    net = mlp(hidden_layer_sizes=(12, 8), normalization=normalization)
    net.fit(X[OLD], Y[OLD])
    single, stacked = (
        losses_of_candidates(net, backend, freeze=freeze)
        for backend in ("threading", "stacked")
    )
    # torch normalises several networks by fixed moments in another order of operations.
    trained_moments = normalization == "batch" and freeze is None
    assert_allclose(stacked, single, rtol=1e-14 if trained_moments else 0)


def test_a_stack_applies_the_frozen_convolutions_once_per_row(
    images_source, monkeypatch
):
    module, seen = sklearn_deep.transfer.fine_tuning._prefix, []
    apply = module.raw_outputs

    def counted(first, x):
        seen.append(len(x))
        return apply(first, x)

    monkeypatch.setattr(module, "raw_outputs", counted)
    frozen = FrozenEstimator(copy.deepcopy(images_source))
    model = FineTuned(CNNClassifier(**FAST), frozen, on_worse="ignore")
    grid = {"estimator__learning_rate": [1e-3, 3e-3, 1e-2]}
    search = GridSearchCV(model, grid, cv=3, n_jobs=-1)
    with parallel_config(backend="stacked"):
        search.fit(IMAGES, RNG.integers(0, 3, 90))
    assert sum(n for n in seen if n > 2) == 90


def test_weights_of_zero_are_rows_left_out(source):
    weight = np.ones(NEW.sum())
    weight[::3] = 0
    kept = weight > 0
    rows, labels = X[NEW], Y[NEW]
    model = FineTuned(mlp(), source, freeze=1, on_worse="ignore")
    zero = model.fit(rows, labels, sample_weight=weight).predict_proba(X)
    removed = model.fit(rows[kept], labels[kept]).predict_proba(X)
    assert_allclose(zero, removed, rtol=1e-10)


def test_validation_rows_reach_the_network(source):
    net = mlp(early_stopping=True)
    model = FineTuned(net, FrozenEstimator(source), freeze=None)
    held = ValidationHoldout(model, random_state=0).fit(X[NEW], Y[NEW])
    assert held.estimator_.history_["valid_loss"].notna().all()


@pytest.mark.parametrize("wrap", [Pruned, Quantized])
def test_compressions_go_around_it(source, wrap):
    model = wrap(FineTuned(mlp(), FrozenEstimator(source), freeze=None))
    assert model.fit(X[NEW], Y[NEW]).predict(X).shape == (160,)


def test_a_compression_around_transformers_is_an_error_with_the_fix():
    pipe = make_pipeline(StandardScaler(), mlp(hidden_layer_sizes=(8,))).fit(X, Y)
    model = Pruned(FineTuned(mlp(), FrozenEstimator(pipe)))
    with pytest.raises(ValueError, match="last step of the Pipeline"):
        model.fit(X, Y)


def test_export_includes_the_transformers():
    pytest.importorskip("onnxruntime")
    pipe = make_pipeline(StandardScaler(), mlp(hidden_layer_sizes=(8,))).fit(X, Y)
    model = FineTuned(mlp(), FrozenEstimator(pipe)).fit(X, Y)
    assert to_onnx(model, X).model is not None


def test_the_pretrained_network_does_not_change(source):
    before = pickle.dumps(fitted_of(source).pack())
    tuned(source, freeze=None)
    assert pickle.dumps(fitted_of(source).pack()) == before


def test_a_copy_of_a_frozen_network_is_still_frozen(source):
    assert isinstance(copy.deepcopy(FrozenEstimator(source)), FrozenEstimator)


@pytest.fixture(scope="module")
def digits():
    """A network of five digits, and rows of the other five."""
    X, y = load_digits(return_X_y=True)
    X, low = X / 16, y < 5
    net = MLPClassifier((64, 32), max_epochs=30, random_state=0)
    return FrozenEstimator(net.fit(X[low], y[low])), X[~low], y[~low]


def test_the_defaults_gain_six_points_over_the_head_alone(digits):
    source, X, y = digits
    net = MLPClassifier(max_epochs=30, random_state=0)
    head = FineTuned(net, source).fit(X[:400], y[:400]).score(X[400:], y[400:])
    whole = FineTuned(net, source, freeze=None, on_worse="raise").fit(X[:400], y[:400])
    assert whole.score(X[400:], y[400:]) > max(head + 0.06, 0.94)


def test_settings_that_destroy_the_network_are_warned_of(digits):
    source, X, y = digits
    net = MLPClassifier(max_epochs=30, learning_rate=0.3, random_state=0)
    naive = FineTuned(net, source, freeze=None, layer_decay=1.0, head_epochs=0)
    with pytest.warns(NegativeTransferWarning):
        naive.fit(X[:400], y[:400])
