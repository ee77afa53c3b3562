"""The client's half here, the server's half in another process."""

import pickle
import signal
import threading
import time

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from sklearn_deep import (
    InvalidParameterError,
    MLPRegressor,
    ServerError,
    SplitClassifier,
    SplitRegressor,
    split,
)

from .conftest import start_server


@pytest.fixture(scope="module")
def halves(models, flowers, tmp_path_factory):
    """Files of halves: floats, 8 bits, and a regressor."""
    folder = tmp_path_factory.mktemp("halves")
    framed, plain = models.fitted["flowers"], models.fitted["plain"]
    X = flowers[0]
    split(
        framed, X, at="relu_1", client_path=folder / "c", server_path=folder / "a.onnx"
    )
    split(
        framed,
        X,
        at="relu_1",
        bits=8,
        client_path=folder / "c8",
        server_path=folder / "a8.onnx",
    )
    numbers = X.iloc[:, :4].to_numpy()
    split(
        plain, numbers, at=-1, client_path=folder / "p", server_path=folder / "p.onnx"
    )
    y = numbers.sum(1)
    regressor = MLPRegressor((6,), max_epochs=3, random_state=0).fit(numbers, y)
    split(
        regressor,
        numbers,
        at=1,
        client_path=folder / "r",
        server_path=folder / "r.onnx",
    )
    return folder, regressor


@pytest.fixture(scope="module")
def server(running_server, halves):
    return running_server([halves[0]])


def reader(server, halves, client, model, kind=SplitClassifier, **settings):
    return kind(halves[0] / client, f"{server.url}/v2/models/{model}", **settings)


def test_halves_over_loopback_predict_what_the_pipeline_predicts(
    server, halves, models, flowers
):
    X, _ = flowers
    model = models.fitted["flowers"]
    found = reader(server, halves, "c", "a")
    np.testing.assert_allclose(
        found.predict_proba(X), model.predict_proba(X), atol=1e-6
    )
    assert (found.predict(X) == model.predict(X)).all()
    assert (found.classes_ == model.classes_).all()


def test_eight_bits_over_loopback_score_as_the_receipt_says(server, halves, flowers):
    X, _ = flowers
    found = reader(server, halves, "c8", "a8")
    whole = reader(server, halves, "c", "a").predict(X)
    assert (found.predict(X) == whole).mean() == pytest.approx(found.receipt_["score"])


def test_a_regressor_over_loopback(server, halves, flowers):
    numbers = flowers[0].iloc[:, :4].to_numpy()
    found = reader(server, halves, "r", "r", SplitRegressor)
    np.testing.assert_allclose(
        found.predict(numbers), halves[1].predict(numbers), rtol=1e-5
    )


def test_a_row_that_the_pipeline_refuses_is_not_sent(server, halves, flowers):
    rows = flowers[0].iloc[:3].copy()
    rows.iloc[1, 0] = np.nan
    found = reader(server, halves, "c", "a", retries=0)
    found.set_params(url="http://127.0.0.1:9/v2/models/a")
    with pytest.raises(ValueError, match="refuses 1 of 3 rows of X: 1"):
        found.predict(rows)


@pytest.mark.parametrize(("client", "model"), [("c8", "a"), ("c", "a8"), ("p", "a")])
def test_halves_that_do_not_belong_together_are_an_error(
    server, halves, flowers, client, model
):
    X, _ = flowers
    rows = X if client != "p" else X.iloc[:, :4].to_numpy()
    with pytest.raises(ServerError, match="no half of this model"):
        reader(server, halves, client, model).predict(rows)


def test_a_model_that_the_server_does_not_have_is_an_error(server, halves, flowers):
    with pytest.raises(ServerError, match="no model 'other'") as info:
        reader(server, halves, "c", "other").predict(flowers[0])
    assert info.value.status == 404


def test_readers_are_cloned_pickled_and_wrapped(server, halves, flowers):
    X, y = flowers
    found = reader(server, halves, "c", "a")
    wanted = found.predict(X)
    for other in (clone(found), pickle.loads(pickle.dumps(found))):
        assert (other.predict(X) == wanted).all()
    assert (FrozenEstimator(found).fit(X, y).predict(X) == wanted).all()
    assert found.score(X, y) == np.mean(wanted == y)


def test_a_wrong_address_is_named(halves):
    with pytest.raises(InvalidParameterError, match="the address of a model"):
        SplitClassifier(halves[0] / "c", "127.0.0.1:8080").classes_


def test_a_token_is_asked_for(halves, flowers, running_server, tmp_path):
    (tmp_path / "token").write_text("secret")
    server = running_server([halves[0]], "--token-file", tmp_path / "token")
    found = reader(server, halves, "c", "a")
    with pytest.raises(ServerError) as info:
        found.predict(flowers[0])
    assert info.value.status == 401
    assert found.set_params(token="secret").predict(flowers[0]).shape == (150,)


def test_more_rows_than_one_request_may_have(halves, flowers, running_server, models):
    server = running_server([halves[0]], "--max-rows", 2000)
    many = flowers[0].iloc[np.arange(5000) % 150]
    found = reader(server, halves, "c", "a")
    assert (found.predict(many) == models.fitted["flowers"].predict(many)).all()


def test_a_server_that_stops_in_the_middle_leaves_nothing_half_answered(
    halves, flowers, models, tmp_path
):
    """Predictions while the server is killed and started again at the same address."""
    X = flowers[0]
    wanted = models.fitted["flowers"].predict_proba(X)
    with start_server(tmp_path, [halves[0]]) as first:
        url, port = f"{first.url}/v2/models/a", first.url.rsplit(":", 1)[1]
        found = SplitClassifier(halves[0] / "c", url, retries=0, timeout=5)
        answers, errors, stop = [], [], threading.Event()

        def ask():
            while not stop.is_set():
                try:
                    answers.append(found.predict_proba(X))
                except ServerError as error:
                    errors.append(error)
                    time.sleep(0.01)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            time.sleep(0.5)
            first.process.send_signal(signal.SIGKILL)
            first.process.wait(30)
            time.sleep(0.3)
        finally:
            stop.set()
            thread.join(30)
    assert answers
    assert errors
    for p in answers:
        np.testing.assert_allclose(p, wanted, atol=1e-6)
    # A patient client waits for the next server.
    found.set_params(retries=12)
    asked = threading.Thread(target=lambda: answers.append(found.predict_proba(X)))
    asked.start()
    with start_server(tmp_path, [halves[0]], port=port):
        asked.join(60)
        assert not asked.is_alive()
    np.testing.assert_allclose(answers[-1], wanted, atol=1e-6)
