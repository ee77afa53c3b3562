"""Networks that owners train together, simulated in this process."""

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits, make_regression
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import (
    CNNClassifier,
    FederatedClassifier,
    FederatedError,
    FederatedRegressor,
    InvalidParameterError,
    MLPClassifier,
    MLPRegressor,
    Pruned,
    TabularClassifier,
    load,
    save,
    stacking_report,
    to_onnx,
)
from sklearn_deep.scale.federated._owners import drawn
from sklearn_deep.scale.federated._sampling import chosen, epochs_done, lost
from sklearn_deep.scale.federated._strategies import STRATEGIES, Server, weighted_mean

X, Y = load_digits(return_X_y=True)
X, Y = X[:600], Y[:600]
OWNER = drawn(len(X), 6, 0.3, Y, 0)
GROUPS = np.empty(len(X), int)
for name, own in OWNER.items():
    GROUPS[own] = name
NET = MLPClassifier((16,), learning_rate=0.02, dropout=0.1, random_state=0)
PIPE = make_pipeline(StandardScaler(), NET)


def federated(network=PIPE, **params):
    return FederatedClassifier(network, **{"rounds": 4, "random_state": 0, **params})


def weights(model):
    network = model.estimator_
    network = network[-1] if hasattr(network, "steps") else network
    return {k: v.numpy() for k, v in network.module_.state_dict().items()}


def assert_same(one, other, **tolerance):
    for name, value in weights(one).items():
        assert_allclose(weights(other)[name], value, **{"rtol": 0, **tolerance})


def assert_other(one, other):
    assert any(
        not np.array_equal(value, weights(other)[name])
        for name, value in weights(one).items()
    )


def test_owners_of_few_labels_train_a_network_that_knows_all():
    model = federated(rounds=15, local_epochs=3).fit(X, Y, groups=GROUPS)
    alone = [clone(PIPE).fit(X[k == GROUPS], Y[k == GROUPS]).score(X, Y) for k in OWNER]
    assert model.score(X, Y) > 0.9 > max(alone) + 0.1
    assert_array_equal(model.classes_, np.arange(10))


def test_the_scaler_is_that_of_all_rows():
    model = federated(rounds=1).fit(X, Y, groups=GROUPS)
    pooled = StandardScaler().fit(X)
    assert_allclose(model.estimator_[0].mean_, pooled.mean_, rtol=1e-12)
    assert_allclose(model.estimator_[0].scale_, pooled.scale_, rtol=1e-12)


def test_a_seed_gives_a_network_whatever_owners_are_called():
    one = federated(fraction=0.5, drop_out=0.3).fit(X, Y, groups=GROUPS)
    names = np.array(["zoe", "ann", "bob", "x", "carl", "y"])[GROUPS]
    other = federated(fraction=0.5, drop_out=0.3).fit(X, Y, groups=names)
    assert_same(one, other)
    assert_other(one, federated(fraction=0.5, random_state=1).fit(X, Y, groups=GROUPS))


@pytest.mark.parametrize(
    "network",
    [
        NET,
        MLPClassifier((8,), normalization="batch", random_state=0),
        MLPClassifier((8,), gradient_clip=1.0, l2=1e-3, random_state=0),
        MLPClassifier((8,), optimizer="sgd", class_weight="balanced", random_state=0),
    ],
    ids=["dropout", "batch", "penalty", "balanced"],
)
@pytest.mark.parametrize("strategy", ["FedAvg", "FedProx"])
def test_owners_in_a_stack_train_the_network_of_one_after_the_other(network, strategy):
    params = {"strategy_params": {"proximal_mu": 1.0}} if strategy == "FedProx" else {}
    model = federated(network, strategy=strategy, rounds=2, local_epochs=2, **params)
    stacked = clone(model).fit(X, Y, groups=GROUPS)
    assert sum(stacking_report().stacks) > 1
    with joblib.parallel_config("threading", n_jobs=2):  # a user's choice: no stack
        alone = clone(model).fit(X, Y, groups=GROUPS)
    assert_same(stacked, alone, atol=1e-12)


def test_the_proximal_term_keeps_owners_near_the_network_they_got():
    def moved(mu):
        model = federated(
            NET, strategy="FedProx", strategy_params={"proximal_mu": mu}, rounds=1
        )
        start = federated(
            NET.__class__(**{**NET.get_params(), "learning_rate": 1e-12}), rounds=1
        )
        a = weights(model.fit(X, Y, groups=GROUPS))
        b = weights(start.fit(X, Y, groups=GROUPS))
        return sum(float(np.square(a[k] - b[k]).sum()) for k in a)

    assert moved(100.0) < 0.5 * moved(0.0)


def test_without_a_pull_fedprox_is_fedavg():
    prox = federated(strategy="FedProx", strategy_params={"proximal_mu": 0})
    assert_same(prox.fit(X, Y, groups=GROUPS), federated().fit(X, Y, groups=GROUPS))


def test_an_owner_counts_as_much_as_its_rows():
    replies = [{"w": np.zeros(2)}, {"w": np.ones(2)}]
    assert_allclose(weighted_mean(replies, [1, 3])["w"], [0.75, 0.75])


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_learns_and_keeps_moments_a_mean(name):
    network = MLPClassifier((16,), normalization="batch", random_state=0)
    params = {"eta": 0.03} if "eta" in STRATEGIES[name].rules else None
    model = federated(
        make_pipeline(StandardScaler(), network),
        strategy=name,
        strategy_params=params,
        rounds=12,
        local_epochs=2,
    ).fit(X, Y, groups=GROUPS)
    assert model.score(X, Y) > 0.6
    variances = [v for k, v in weights(model).items() if k.endswith("running_var")]
    assert variances
    assert all((v > 0).all() for v in variances)


def test_momentum_of_the_server_adds_up():
    start = {"w": np.zeros(1)}
    params = {"server_learning_rate": 1.0, "server_momentum": 0.5}
    server = Server("FedAvgM", params, start, ["w"])
    server.take([{"w": server.arrays["w"] + 1}], [1.0], 1)
    server.take([{"w": server.arrays["w"] + 1}], [1.0], 2)
    assert_allclose(server.arrays["w"], [1 + 1.5])


def test_the_history_tells_who_took_part_and_what_was_sent():
    model = federated(fraction=0.5, rounds=8, drop_out=0.4).fit(X, Y, groups=GROUPS)
    size = sum(v.nbytes for v in weights(model).values())
    rows = model.history_.to_dict("records")
    assert [row["round"] for row in rows] == list(range(1, 9))
    for row in rows:
        assert row["bytes_down"] == 3 * size
        assert row["bytes_up"] == len(row["owners"]) * size
        assert set(row["owners"]) <= set(range(6))
    assert len({len(row["owners"]) for row in rows}) > 1
    last = rows[-1]
    assert last["score"] == pytest.approx(model.score(X, Y))


def test_a_round_that_nobody_answers_changes_nothing():
    model = federated(rounds=3, drop_out=0.999999).fit(X, Y, groups=GROUPS)
    assert model.history_["owners"].map(len).sum() == 0
    assert model.history_["loss"].nunique() == 1


def test_owners_of_a_round_follow_from_the_seed():
    rounds = [tuple(chosen(0, r, 10, 0.3)) for r in range(20)]
    assert {len(r) for r in rounds} == {3}
    assert len(set(rounds)) > 10
    assert {k for r in rounds for k in r} == set(range(10))
    assert chosen(0, 1, 3, 0.01) == chosen(0, 1, 3, 0.01)
    assert len(chosen(0, 1, 3, 0.01)) == 1
    share = np.mean([len(lost(0, r, list(range(10)), 0.3)) / 10 for r in range(99)])
    assert share == pytest.approx(0.3, abs=0.05)
    done = epochs_done(0, 1, list(range(50)), 0.5, 10)
    assert 10 < sum(n < 10 for n in done.values()) < 40
    assert min(done.values()) >= 1


def test_stragglers_train_for_fewer_epochs():
    late = federated(local_epochs=5, stragglers=1.0).fit(X, Y, groups=GROUPS)
    assert_other(late, federated(local_epochs=5).fit(X, Y, groups=GROUPS))


def test_batch_normalisation_may_stay_with_each_owner():
    network = MLPClassifier((16,), normalization="batch", random_state=0)
    shifted = X + 40.0 * (GROUPS % 2)[:, None]
    params = {"rounds": 12, "local_epochs": 2}
    local = federated(network, batch_norm="local", **params)
    local.fit(shifted, Y, groups=GROUPS)
    assert set(local.owner_estimators_) == set(OWNER)
    first, second, *_ = (
        e.module_.state_dict() for e in local.owner_estimators_.values()
    )
    moments = [name for name in first if name.endswith("running_mean")]
    assert moments
    assert all(abs(first[name] - second[name]).max() > 1 for name in moments)
    own = np.mean(
        [
            e.score(shifted[k == GROUPS], Y[k == GROUPS])
            for k, e in local.owner_estimators_.items()
        ]
    )
    averaged = federated(network, **params).fit(shifted, Y, groups=GROUPS)
    assert averaged.owner_estimators_ == {}
    assert own > averaged.score(shifted, Y)


def test_rounds_end_when_the_loss_on_held_out_rows_does():
    model = federated(
        make_pipeline(StandardScaler(), MLPClassifier((64,), learning_rate=0.1)),
        rounds=60,
        local_epochs=5,
        early_stopping=True,
        n_iter_no_change=3,
    ).fit(X, Y, groups=GROUPS)
    losses = model.history_["loss"]
    assert len(losses) < 60
    assert model.best_round_ == losses.idxmin() + 1 == len(losses) - 3


def test_a_search_tunes_a_strategy_over_owners():
    grid = {
        "strategy": ["FedProx"],
        "strategy_params": [{"proximal_mu": mu} for mu in (0.001, 1e4)],
        "estimator__mlpclassifier__learning_rate": [0.02],
    }
    with sklearn.config_context(enable_metadata_routing=True):
        model = federated(rounds=6).set_fit_request(groups=True)
        search = GridSearchCV(model, grid, cv=GroupKFold(3)).fit(X, Y, groups=GROUPS)
    assert search.best_params_["strategy_params"] == {"proximal_mu": 0.001}
    assert len(search.best_estimator_.history_["owners"][0]) == 6


def test_sample_weights_are_routed_and_weigh_owners():
    weight = np.where(GROUPS == 0, 0.0, 1.0)
    kept = GROUPS != 0
    removed = federated().fit(X[kept], Y[kept], groups=GROUPS[kept])
    assert_same(federated().fit(X, Y, groups=GROUPS, sample_weight=weight), removed)
    with sklearn.config_context(enable_metadata_routing=True):
        network = clone(NET).set_fit_request(sample_weight=True)
        routed = federated(make_pipeline(StandardScaler(), network))
        routed.fit(X, Y, sample_weight=weight)
        assert_other(
            routed, federated(make_pipeline(StandardScaler(), network)).fit(X, Y)
        )


def test_classes_that_one_owner_alone_has_are_known():
    labels = np.array(["a", "b", "c"], object)[np.digitize(np.arange(60), [20, 40])]
    rows = np.random.default_rng(0).normal(size=(60, 3))
    model = federated(MLPClassifier((4,), class_weight="balanced"), rounds=2)
    model.fit(rows, labels, groups=labels)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.predict_proba(rows).shape == (60, 3)


def test_balanced_weights_are_those_of_all_rows():
    pooled = sklearn.utils.compute_class_weight("balanced", classes=np.arange(10), y=Y)
    listed = dict(enumerate(pooled.tolist()))
    one, other = (
        federated(clone(NET).set_params(class_weight=w)).fit(X, Y, groups=GROUPS)
        for w in ("balanced", listed)
    )
    assert_same(one, other, atol=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "gaussian"])
@pytest.mark.parametrize("width", [None, 2])
def test_a_regressor_agrees_on_centre_and_scale(loss, width):
    rows, y = make_regression(200, 5, n_targets=width or 1, random_state=0)
    y = 1000 + 30 * y / y.std()
    network = MLPRegressor((16,), loss=loss, learning_rate=0.02)
    model = FederatedRegressor(network, rounds=25, local_epochs=2, random_state=0)
    model.fit(rows, y, groups=np.arange(200) % 3)
    learnt = model.estimator_.module_
    assert learnt is not None
    assert model.score(rows, y) > 0.9
    assert model.history_["score"].iloc[-1] == pytest.approx(
        model.score(rows, y), abs=1e-6
    )
    assert np.shape(model.predict(rows)) == y.shape


def test_images_and_multilabel_targets():
    images = X.reshape(-1, 1, 8, 8)[:200]
    net = CNNClassifier((4,), channels="first", learning_rate=0.02, random_state=0)
    model = federated(net, rounds=5, local_epochs=4).fit(
        images, Y[:200], groups=GROUPS[:200]
    )
    assert model.score(images, Y[:200]) > 0.4
    several = np.stack([Y % 2, Y > 4], 1).astype(int)
    model = federated(rounds=8, local_epochs=2).fit(X, several, groups=GROUPS)
    assert model.score(X, several) > 0.6


def test_frames_behind_encoders_and_the_network_as_a_file(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": rng.normal(40, 9, 120), "town": rng.choice(["Ulm", "Kiel"], 120)}
    )
    y = np.where((frame["age"] > 40) ^ (frame["town"] == "Ulm"), "yes", "no")
    columns = make_column_transformer(
        (StandardScaler(), ["age"]), (OneHotEncoder(), ["town"])
    )
    net = MLPClassifier((16,), learning_rate=0.05, random_state=0)
    model = federated(make_pipeline(columns, net), rounds=30).fit(frame, y)
    assert model.score(frame, y) > 0.9
    assert model.feature_names_in_.tolist() == ["age", "town"]
    assert to_onnx(model.estimator_, frame) is not None
    for saved in (model, model.estimator_):
        save(saved, tmp_path / "model.skd")
        assert_array_equal(
            load(tmp_path / "model.skd").predict(frame), model.predict(frame)
        )


def test_the_fitted_network_can_be_compressed():
    model = federated(NET).fit(X, Y)
    pruned = Pruned(model.estimator_, 0.3, fine_tune_epochs=0).fit(X, Y)
    assert pruned.score(X, Y) > 0.3


def test_drawn_owners_are_as_many_as_asked_and_have_a_row_each():
    for concentration in (None, 0.05, 100.0):
        places = drawn(len(Y), 20, concentration, Y, 0)
        assert sorted(np.concatenate(list(places.values()))) == list(range(len(Y)))
        assert len(places) == 20
        assert min(map(len, places.values())) >= 1
    few = [len(np.unique(Y[p])) for p in drawn(len(Y), 20, 0.1, Y, 0).values()]
    many = [len(np.unique(Y[p])) for p in drawn(len(Y), 20, None, Y, 0).values()]
    assert np.mean(few) < 0.6 * np.mean(many)
    assert len(drawn(3, 20, None, Y[:3], 0)) == 3


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"estimator": TabularClassifier()}, "'estimator' parameter of Federated"),
        ({"estimator": MLPRegressor()}, "MLP-, CNN-, RNN- or ModuleClassifier"),
        (
            {"estimator": MLPClassifier(optimizer="lbfgs")},
            "an optimizer that takes steps",
        ),
        ({"estimator": MLPClassifier(learning_rate="auto")}, "a range test needs"),
        (
            {"estimator": MLPClassifier(learning_rate_schedule="plateau")},
            "a schedule over time",
        ),
        ({"estimator": MLPClassifier(warm_start=True)}, "'warm_start'"),
        ({"strategy": "fedavg"}, "'FedAvg'"),
        ({"strategy_params": {"proximal_mu": 1}}, "keys among: none"),
        (
            {"strategy": "FedProx", "strategy_params": {"mu": 1}},
            "keys among: proximal_mu",
        ),
        (
            {"strategy": "FedProx", "strategy_params": {"proximal_mu": -1}},
            "proximal_mu",
        ),
        ({"fraction": 0}, "'fraction'"),
        ({"drop_out": 1.0}, "'drop_out'"),
        ({"clients": 0}, "'clients'"),
        ({"concentration": 0.0}, "'concentration'"),
        ({"rounds": 0}, "'rounds'"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(params, words):
    model = (
        federated(**params)
        if "estimator" not in params
        else federated(params["estimator"])
    )
    with pytest.raises(InvalidParameterError) as caught:
        model.fit(X, Y)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"groups": GROUPS[:-1]}, ValueError, "inconsistent numbers of samples"),
        (
            {"groups": np.where(GROUPS, GROUPS, np.nan)},
            FederatedError,
            "without an owner",
        ),
        ({"groups": np.c_[GROUPS, GROUPS]}, FederatedError, "got shape (600, 2)"),
        ({"lengths": 3}, TypeError, "unexpected keyword argument 'lengths'"),
        ({"sample_weight": -np.ones(len(X))}, ValueError, "sample_weight"),
    ],
    ids=["short", "nobody", "wide", "unknown", "negative"],
)
def test_wrong_arguments_of_fit_are_errors_that_say_so(change, kind, words):
    with pytest.raises(kind) as caught:
        federated().fit(X, Y, **change)
    assert words in str(caught.value)


def test_no_rows_are_an_error_that_says_so():
    with pytest.raises(ValueError, match="FederatedClassifier has 0 samples"):
        federated().fit(X[:0], Y[:0])


def test_a_failed_fit_leaves_the_fitted_one():
    model = federated(rounds=1).fit(X, Y)
    before = model.predict(X)
    with pytest.raises(FederatedError, match="'pca'"):
        model.set_params(estimator=make_pipeline(PCA(), NET)).fit(X, Y)
    assert_array_equal(model.predict(X), before)
