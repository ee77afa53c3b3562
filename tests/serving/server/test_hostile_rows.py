"""Hostile requests for rows: never a wrong answer, a traceback or a 500."""

import json
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import MLPClassifier, to_onnx

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": RNG.normal(40, 9, 60),
        "rooms": RNG.integers(1, 9, 60),
        "<b>town</b>": RNG.choice(["Bonn", "Ulm"], 60),
        "owner": RNG.random(60) > 0.5,
    }
)
ROW = {"age": 31.5, "rooms": 3, "<b>town</b>": "Bonn", "owner": True}


@pytest.fixture(scope="module")
def model():
    prepare = make_column_transformer(
        (StandardScaler(), ["age", "rooms"]),
        (OneHotEncoder(), ["<b>town</b>"]),
        ("passthrough", ["owner"]),
    )
    network = MLPClassifier((6,), max_epochs=2, random_state=0)
    return make_pipeline(prepare, network).fit(FRAME, FRAME["age"] > 40)


@pytest.fixture(scope="module")
def server(model, running_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    to_onnx(model, FRAME, folder / "people.onnx")
    return running_server([folder], "--max-rows", 5000)


def send(server, body, **kwargs):
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return server.client.post("/v1/models/people/predict", content=content, **kwargs)


def one(**changes):
    return {"rows": [{**ROW, **changes}]}


# name -> a body, the status, and what the message says
TABLE = {
    "empty": (b"", 400, "not valid JSON"),
    "no JSON": (b"{rows", 400, "not valid JSON"),
    "no UTF-8": (b'{"rows": "\xff"}', 400, "not valid UTF-8"),
    "UTF-16": ('{"rows": []}'.encode("utf-16"), 400, "UTF-8"),
    "a list": (b"[1]", 400, "must be a JSON object"),
    "a bare null": (b"null", 400, "must be a JSON object"),
    "NaN": (b'{"rows": [{"age": NaN}]}', 400, "NaN is not JSON"),
    "Infinity": (b'{"rows": [{"age": -Infinity}]}', 400, "-Infinity is not JSON"),
    "an infinite float": (b'{"rows": [{"age": 1e999}]}', 400, "too large"),
    "a float of 400 digits": (
        b'{"rows": [{"age": %s.5}]}' % (b"9" * 400),
        400,
        "large",
    ),
    "an integer of 5000 digits": (b'{"rows": [%s]}' % (b"9" * 5000), 400, "JSON"),
    "nested lists": (b"[" * 100_000 + b"]" * 100_000, 400, "nested"),
    "nested objects": (b'{"rows":' * 100_000 + b"1" + b"}" * 100_000, 400, "nested"),
    "a doubled key": (b'{"rows": [{"age": 1, "age": 2}]}', 400, "'age' twice"),
    "doubled rows": (b'{"rows": [], "rows": []}', 400, "'rows' twice"),
    "nothing": ({}, 422, "rows are missing"),
    "rows and columns": ({"rows": [ROW], "columns": {"age": [1]}}, 422, "beside"),
    "another key": ({"rows": [ROW], "model": "x"}, 422, "model is no part"),
    "no rows": ({"rows": []}, 422, "no rows"),
    "no columns": ({"columns": {}}, 422, "no rows"),
    "rows of null": ({"rows": None}, 422, "no rows"),
    "rows of text": ({"rows": "age"}, 422, "no rows"),
    "an object of rows": ({"rows": {"0": ROW}}, 422, "no rows"),
    "a row of null": ({"rows": [None]}, 422, "must be an object"),
    "a row of numbers": ({"rows": [[1, 2]]}, 422, "2 values"),
    "an empty row": ({"rows": [{}]}, 422, "is missing"),
    "mixed rows": ({"rows": [ROW, [1, 2, 3, 4]]}, 422, "must be an object"),
    "null": (one(age=None), 422, "is missing"),
    "a boolean integer": (one(rooms=True), 422, "must be an integer, got true"),
    "a number as text": (one(age="31"), 422, "must be a number"),
    "a list as a number": (one(age=[1]), 422, "must be a number"),
    "an object as a number": (one(age={"a": 1}), 422, "must be a number"),
    "a fraction": (one(rooms=2.5), 422, "must be an integer"),
    "an integer of 70 bits": (one(rooms=2**70), 422, "64 bits"),
    "a number of 400 digits": (one(age=10**400), 422, "too large"),
    "a number as a text": (one(**{"<b>town</b>": 3}), 422, "must be a string"),
    "an unknown category": (one(**{"<b>town</b>": "Köln"}), 422, "does not know"),
    "a huge text": (one(**{"<b>town</b>": "x" * 10**6}), 422, "does not know"),
    "a lone surrogate": (one(**{"<b>town</b>": "\ud800"}), 422, "does not know"),
    "text as a boolean": (one(owner="true"), 422, "must be true or false"),
    "a huge name": (one(**{"x" * 10**6: 1}), 422, "no column"),
    "a surrogate as a name": (one(**{"\udfff": 1}), 422, "no column"),
    "a nameless column": (one(**{"": 1}), 422, "no column"),
    "columns of two lengths": (
        {"columns": {k: [v] * (1 + (k == "age")) for k, v in ROW.items()}},
        422,
        "different lengths",
    ),
    "a column that is no list": ({"columns": {**ROW}}, 422, "must be a list"),
    "too many rows": ({"rows": [ROW] * 5001}, 413, "5001 rows"),
    "too many in a column": ({"columns": {"age": [1] * 5001}}, 413, "5001 rows"),
    "an image range": ({"rows": [ROW], "image_range": [0, 1]}, 422, "image_range"),
}


@pytest.mark.parametrize("kind", TABLE)
def test_a_hostile_request_is_refused_with_a_reason(kind, server):
    body, status, message = TABLE[kind]
    start = time.perf_counter()
    answer = send(server, body)
    assert time.perf_counter() - start < 5
    assert answer.status_code == status, answer.text[:500]
    assert message in answer.json()["error"] or any(
        message in fault["message"] for fault in answer.json()["errors"]
    )
    assert len(answer.content) < 100_000
    if status == 422:
        assert answer.json()["errors"][0].keys() == {"field", "message", "fix"}


def test_many_unknown_columns_take_no_long_time(server):
    rows = [{f"column {i} {j}": 1 for j in range(200)} for i in range(5000)]
    body = json.dumps({"rows": rows})
    start = time.perf_counter()
    answer = send(server, body)
    assert time.perf_counter() - start < 15
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 100


def test_a_doubled_key_among_many_is_found_at_once(server):
    keys = ",".join(f'"k{i}":1' for i in range(300_000))
    start = time.perf_counter()
    answer = send(server, '{"rows":[{' + keys + ',"k299999":2}]}')
    assert time.perf_counter() - start < 10
    assert answer.status_code == 400
    assert "'k299999' twice" in answer.json()["error"]


def test_a_million_rows_are_refused_before_they_are_converted(server):
    body = '{"rows": [' + "{}," * 1_000_000 + "{}]}"
    answer = send(server, body)
    assert answer.status_code == 413
    assert "1000001 rows" in answer.json()["error"]


def test_a_compressed_body_is_refused(server):
    answer = send(server, {"rows": [ROW]}, headers={"content-encoding": "gzip"})
    assert answer.status_code == 415


def test_the_server_has_logged_no_failure(server, model):
    """The last test of the module but for random ones: 500 would have left a traceback."""
    assert "Traceback" not in server.log.read_text()
    answer = send(server, {"rows": [ROW]})
    assert answer.json()["predictions"][0]["label"] == bool(
        model.predict(pd.DataFrame([ROW]))[0]
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["Bonn", "Ulm", 3, 40.0, True]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*ROW, "rows", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
VALUES = {
    "age": st.floats(allow_nan=False, allow_infinity=False) | st.integers() | JSON,
    "rooms": st.integers(-(2**63), 2**63 - 1) | JSON,
    "<b>town</b>": st.sampled_from(["Bonn", "Ulm"]) | JSON,
    "owner": st.booleans() | JSON,
}
ROWS = st.lists(st.fixed_dictionaries(VALUES) | JSON, max_size=3)
BOUNDED = settings(
    max_examples=300, deadline=None, suppress_health_check=list(HealthCheck)
)


@BOUNDED
@given(body=st.fixed_dictionaries({"rows": ROWS}) | JSON)
def test_a_random_request_is_answered_right_or_refused(body, server, model):
    answer = send(server, body)
    assert answer.status_code in (200, 400, 422), answer.text
    if answer.status_code == 200:
        rows = [
            r if isinstance(r, dict) else dict(zip(ROW, r, strict=True))
            for r in body["rows"]
        ]
        frame = pd.DataFrame(rows).astype({"age": float, "rooms": np.int64})
        frame["owner"] = frame["owner"].astype(bool)
        p = [r["probabilities"]["true"] for r in answer.json()["predictions"]]
        np.testing.assert_allclose(p, model.predict_proba(frame)[:, 1], atol=1e-5)
    else:
        assert answer.json()["error"]


@BOUNDED
@given(body=st.binary(max_size=60))
def test_random_bytes_are_refused(body, server):
    answer = send(server, body)
    assert answer.status_code in (400, 422), answer.text
