"""The real apps of Flower, on a grid in this process; ``make test-federated``."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import (
    FederatedClassifier,
    FederatedError,
    FederatedRegressor,
    InvalidParameterError,
    MissingDependencyError,
    MLPClassifier,
    MLPRegressor,
    client_app,
    load,
    server_app,
)
from sklearn_deep.scale.federated._owners import drawn

try:
    import flwr
    from flwr.clientapp.mod import LocalDpMod, fixedclipping_mod
    from flwr.serverapp import NeighboringRelation, PrivacyConfig, SamplingMethod
    from flwr.serverapp import strategy as strategies

    from owners_grid import OwnersGrid
except ImportError:
    flwr = None

with_flower = pytest.mark.skipif(flwr is None, reason="make test-federated has Flower")

X, Y = load_digits(return_X_y=True)
X, Y = X[:400], Y[:400]
PLACES = sorted(drawn(len(X), 4, 0.3, Y, 0).values(), key=min)
OWNER = np.empty(len(X), int)
for k, place in enumerate(PLACES):
    OWNER[place] = k
NET = MLPClassifier((16,), learning_rate=0.02, dropout=0.1, random_state=0)
PIPE = make_pipeline(StandardScaler(), NET)


def own_rows(context):
    mine = context.node_config["partition-id"] == OWNER
    return X[mine], Y[mine]


def run(estimator=PIPE, load=own_rows, owners=4, mods=(), before=None, **params):
    """The result of a federated fit, and its grid."""
    results = []
    settings = {"rounds": 3, "random_state": 0, "timeout": 5.0, **params}
    server = server_app(estimator, then=results.append, owners=owners, **settings)
    grid = OwnersGrid(client_app(estimator, load, mods=mods), owners)
    if before is not None:
        before(grid)
    server(grid, None)
    return results[0], grid


def weights(estimator):
    network = estimator[-1] if hasattr(estimator, "steps") else estimator
    return {k: v.numpy() for k, v in network.module_.state_dict().items()}


def assert_same(one, other, **tolerance):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert_allclose(other[name], value, rtol=0, **{"atol": 1e-12, **tolerance})


STRATEGIES = {
    "FedAvg": None,
    "FedProx": {"proximal_mu": 0.5},
    "FedAvgM": {"server_momentum": 0.9},
    "FedAdam": {"eta": 0.01},
    "FedYogi": {"eta": 0.01},
    "FedAdagrad": {"eta": 0.01},
}


@with_flower
@pytest.mark.parametrize(("name", "params"), STRATEGIES.items(), ids=STRATEGIES)
@pytest.mark.parametrize("normalization", [None, "batch"])
def test_the_apps_train_the_network_of_the_simulation(name, params, normalization):
    network = MLPClassifier((16,), normalization=normalization, random_state=0)
    pipe = make_pipeline(StandardScaler(), network)
    settings = {"strategy": name, "strategy_params": params, "fraction": 0.5}
    result, _ = run(pipe, local_epochs=2, **settings)
    model = FederatedClassifier(
        pipe, rounds=3, local_epochs=2, random_state=0, **settings
    )
    model.fit(X, Y, groups=OWNER)
    # Biases in front of batch normalisation have no gradient but rounding errors.
    assert_same(result.estimator, model.estimator_, atol=1e-9)
    for column in ("train_loss", "loss", "score"):
        assert_allclose(result.history[column], model.history_[column], rtol=1e-6)
    assert result.history["owners"].tolist() == model.history_["owners"].tolist()


@with_flower
def test_local_batch_normalisation_is_kept_by_the_owners_between_rounds():
    pipe = make_pipeline(StandardScaler(), NET.__class__((8,), normalization="batch"))
    pipe[-1].set_params(random_state=0)
    result, _ = run(pipe, batch_norm="local")
    model = FederatedClassifier(pipe, rounds=3, batch_norm="local", random_state=0)
    assert_same(result.estimator, model.fit(X, Y, groups=OWNER).estimator_)


@with_flower
def test_frames_regression_and_weights():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(9, 3, 90), "b": rng.choice(["u", "v"], 90)})
    y = frame["a"].to_numpy() * 7 + 100 * (frame["b"] == "u")
    owner, weight = np.arange(90) % 3, rng.uniform(1, 2, 90)
    columns = make_column_transformer(
        (StandardScaler(), ["a"]), (OneHotEncoder(), ["b"])
    )
    pipe = make_pipeline(
        columns, MLPRegressor((8,), learning_rate=0.05, random_state=0)
    )

    def load(context):
        mine = owner == context.node_config["partition-id"]
        return frame[mine], y[mine], weight[mine]

    result, _ = run(pipe, load, owners=3, rounds=4)
    model = FederatedRegressor(pipe, rounds=4, random_state=0)
    model.fit(frame, y, groups=owner, sample_weight=weight)
    assert_same(result.estimator, model.estimator_)
    assert_allclose(result.estimator.predict(frame), model.predict(frame))
    assert_allclose(result.history["score"], model.history_["score"])


@with_flower
def test_no_message_of_an_owner_holds_rows():
    """Their sizes do not grow with rows, and no row's values are in them."""
    secret = X + np.random.default_rng(0).normal(size=X.shape)  # values occur once

    def rows_of(share):
        def load(context):
            mine = np.flatnonzero(context.node_config["partition-id"] == OWNER)
            mine = mine[: max(12, int(share * len(mine)))]
            return secret[mine], Y[mine]

        return load

    sizes = {}
    for share in (0.2, 1.0):
        _, grid = run(load=rows_of(share))
        replies = [m for m in grid.messages if "query" in m.metadata.message_type]
        replies = [m for m in replies if m.metadata.src_node_id != 1]
        sizes[share] = [
            sum(r.count_bytes() for r in m.content.values()) for m in grid.messages
        ]
        text = " ".join(str(m.content["config"]["text"]) for m in replies)
        assert not any(repr(v) in text for v in secret[:, 20:40].ravel().tolist())
        allowed = {"arrays", "config", "metrics"}
        assert all(set(m.content) <= allowed for m in grid.messages)
        arrays = [m.content["arrays"] for m in grid.messages if "arrays" in m.content]
        shapes = {k: v.shape for k, v in weights(run()[0].estimator).items()}
        assert all(
            {k: a.numpy().shape for k, a in record.items()} == shapes
            for record in arrays
        )
    assert len(sizes[0.2]) == len(sizes[1.0])
    for few, many in zip(*sizes.values(), strict=True):
        assert abs(few - many) < 0.1 * many


@with_flower
def test_the_bytes_of_a_round_are_those_of_its_messages():
    result, _ = run()
    size = sum(v.nbytes for v in weights(result.estimator).values())
    for row in result.rounds:
        assert 4 * size < row["bytes_down"] < 4 * size + 40_000
        assert 4 * size < row["bytes_up"] < 4 * size + 4_000


@with_flower
def test_an_owner_that_leaves_in_the_middle_is_missed_by_no_one():
    def before(grid):
        answer = grid._answer

        def leaving(message, node):
            if message.metadata.message_type == "evaluate" and len(grid.log) > 8:
                grid.gone.add(1)
            return answer(message, node)

        grid._answer = leaving

    result, grid = run(before=before, rounds=4)
    assert result.history["owners"].tolist()[0] == [0, 1, 2, 3]
    assert result.history["owners"].tolist()[-1] == [0, 2, 3]
    assert grid.gone == {1}
    assert result.estimator.score(X, Y) > 0.3


@with_flower
def test_the_superlink_answers_for_an_owner_that_is_lost():
    def before(grid):
        answer = grid._answer

        def losing(message, node):
            if message.metadata.message_type == "train":
                grid.lost.add(2)
            return answer(message, node)

        grid._answer = losing

    result, _ = run(before=before)
    assert result.history["owners"].tolist() == [[0, 1, 3]] * 3
    with pytest.raises(FederatedError, match=r"An owner could not say .* unavailable"):
        run(before=lambda grid: grid.lost.add(2))


@with_flower
def test_an_owner_whose_training_fails_is_left_out():
    calls = []

    def load(context):
        calls.append(context.node_config["partition-id"])
        if calls[-1] == 2 and calls.count(2) > 1:
            raise OSError("the disk of owner 2 is gone")
        return own_rows(context)

    result, _ = run(load=load)
    assert result.history["owners"].tolist() == [[0, 1, 3]] * 3


@with_flower
def test_an_owner_who_cannot_agree_is_named():
    def load(context):
        rows, y = own_rows(context)
        return (rows[:, :9] if context.node_config["partition-id"] == 2 else rows), y

    with pytest.raises(FederatedError, match=r"Owner 2 has rows of shape \(9,\)"):
        run(load=load)


@with_flower
def test_owners_that_do_not_come_are_counted():
    with pytest.raises(FederatedError, match=r"3 of 4 owners came within 0\.5 s"):
        run(before=lambda grid: grid.gone.add(0), timeout=0.5)


@with_flower
def test_an_error_of_load_reaches_the_server():
    with pytest.raises(FederatedError, match="must return"):
        run(load=lambda context: X)


PRIVATE = {"noise_multiplier": 1.0, "clipping_norm": 1.0, "num_sampled_clients": 4}


def accountant():
    from flwr.serverapp import RdpAccountant

    pytest.importorskip("dp_accounting")
    config = PrivacyConfig(
        target_delta=1e-5,
        population_size=4,
        neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE,
        sampling_method=SamplingMethod.NO_AMPLIFICATION,
    )
    return RdpAccountant(config)


def fed_avg(**params):
    return strategies.FedAvg(min_available_nodes=4, fraction_evaluate=0.0, **params)


@with_flower
@pytest.mark.parametrize("side", ["Client", "Server"])
def test_noise_for_privacy_comes_with_its_epsilon(side):
    wrapper = getattr(strategies, f"DifferentialPrivacy{side}SideFixedClipping")
    private = wrapper(fed_avg(), **PRIVATE, accountant=accountant())
    mods = [fixedclipping_mod] if side == "Client" else []
    result, _ = run(strategy=private, mods=mods, weighting="equal", rounds=3)
    spent = result.privacy
    assert (spent.num_releases, spent.delta) == (3, 1e-5)
    # Three Gaussian releases are one with a noise of 1 / sqrt(3); its RDP is 3 a / 2, and
    # the conversion of Mironov (arXiv:1702.07476) is an upper bound of what is reported.
    orders = np.linspace(1.01, 60, 10_000)
    bound = (1.5 * orders + np.log(1e5) / (orders - 1)).min()
    assert 0.7 * bound < spent.epsilon <= bound
    other, _ = run(strategy=fed_avg(), weighting="equal", rounds=3)
    moved = [
        np.abs(a - b).max()
        for a, b in zip(
            weights(result.estimator).values(),
            weights(other.estimator).values(),
            strict=True,
        )
    ]
    assert min(moved) > 0.01


@with_flower
def test_noise_may_be_added_by_each_owner():
    mod = LocalDpMod(clipping_norm=1.0, sensitivity=1.0, epsilon=50.0, delta=1e-5)
    result, _ = run(mods=[mod])
    plain, _ = run()
    assert result.privacy is None
    assert abs(weights(result.estimator)["output.bias"]).max() > 0
    with pytest.raises(AssertionError):
        assert_same(result.estimator, plain.estimator)


@with_flower
def test_moments_would_tell_what_private_weights_hide():
    network = MLPClassifier((8,), normalization="batch", random_state=0)
    private = strategies.DifferentialPrivacyServerSideFixedClipping(
        fed_avg(), **PRIVATE
    )
    with pytest.raises(FederatedError, match="normalization='layer'"):
        run(network, strategy=private)


@with_flower
@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"strategy": "FedBest"}, "'FedAvg'. Got 'FedBest'"),
        ({"strategy_params": {"mu": 1}}, "unexpected keyword argument 'mu'"),
        ({"rounds": 0}, "'rounds' parameter of server_app"),
        ({"then": None}, "'then' parameter of server_app must be a function"),
        ({"weighting": "all"}, "'rows', 'equal'"),
        ({"estimator": 3}, "'estimator' parameter of server_app"),
        ({"estimator": MLPClassifier(warm_start=True)}, "'warm_start'"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_named(params, words):
    given = {"estimator": PIPE, "then": print, **params}
    with pytest.raises(InvalidParameterError) as caught:
        server_app(given.pop("estimator"), given.pop("strategy", "FedAvg"), **given)
    assert words in str(caught.value)


def test_steps_that_owners_cannot_fit_are_an_error_at_once():
    with pytest.raises(FederatedError, match="'pca'"):
        client_app(make_pipeline(PCA(), NET), own_rows)
    with pytest.raises(InvalidParameterError, match="'load' parameter of client_app"):
        client_app(PIPE, (X, Y))


@pytest.mark.skipif(flwr is not None, reason="Flower is installed")
def test_without_flower_the_extra_is_named():
    for make in (
        lambda: client_app(PIPE, own_rows),
        lambda: server_app(PIPE, then=print),
    ):
        with pytest.raises(MissingDependencyError, match=r"\[federated\]"):
            make()


@pytest.fixture
def hospitals(tmp_path, monkeypatch):
    """The app of the guide, and a grid of three hospitals with rows."""
    pytest.importorskip("skops")
    folder = Path(__file__).parents[3] / "docs" / "federated"
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for k in range(3):
        age, pressure = rng.normal(60, 9, 80), rng.normal(120 + 5 * k, 9, 80)
        pressure[:5] = np.nan
        rows = {"age": age, "pressure": pressure, "ward": rng.choice(["A", "B"], 80)}
        rows["returned"] = np.where(age > 60, "yes", "no")
        pd.DataFrame(rows).to_csv(f"rows_{k}.csv", index=False)

    def run(name):
        app = importlib.import_module(f"hospitals.{name}")
        grid = OwnersGrid(app.client, 3)
        for context in grid.contexts.values():
            number = context.node_config["partition-id"]
            context.node_config["rows"] = f"rows_{number}.csv"
        app.server(grid, None)

    yield run
    for name in [n for n in sys.modules if n.startswith("hospitals")]:
        del sys.modules[name]


@with_flower
def test_the_app_of_the_guide_stores_a_pipeline_that_predicts(hospitals, capsys):
    hospitals("apps")
    rows = pd.read_csv("rows_0.csv")
    model = load("model.skd")
    assert model.score(rows.drop(columns="returned"), rows["returned"]) > 0.8
    assert "bytes_up" in capsys.readouterr().out


@with_flower
def test_the_private_app_of_the_guide_tells_its_epsilon(hospitals, capsys):
    pytest.importorskip("dp_accounting")
    hospitals("private")
    epsilon, *_ = capsys.readouterr().out.split()
    assert 8 < float(epsilon) < 20
