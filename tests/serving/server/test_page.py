"""The page without JavaScript: its forms are answered by the server, and escape all text."""

import io
import re
import time
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from PIL import Image
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    MultiTask,
    RNNClassifier,
    TabularRegressor,
    to_onnx,
)

RNG = np.random.default_rng(0)
EVIL = "<script>alert(1)</script>"
QUOTE = "\"'><img src=x onerror=alert(2)>"
FRAME = pd.DataFrame(
    {
        "age": RNG.normal(40, 9, 60),
        "rooms": RNG.integers(1, 9, 60),
        EVIL: RNG.choice(["Bonn", QUOTE], 60),
        "owner": RNG.random(60) > 0.5,
    }
)
LABELS = np.array([EVIL, "b&b"])[(FRAME["age"] > 40).astype(int)]
NUMBERS = RNG.normal(size=(60, 3))
IMAGES = RNG.integers(0, 256, (40, 6, 5, 1)).astype(np.uint8)
TEXTS = ["a good film", "a bad film"] * 20
DATED = pd.DataFrame(
    {"since": pd.date_range("2015-01-01", periods=60), "size": RNG.normal(size=60)}
)
QUICK = {"max_epochs": 2, "random_state": 0}


def mlp():
    return MLPClassifier((6,), **QUICK)


def people():
    prepare = make_column_transformer(
        (StandardScaler(), ["age", "rooms"]),
        (OneHotEncoder(), [EVIL]),
        ("passthrough", ["owner"]),
    )
    return make_pipeline(prepare, mlp())


MODELS = {
    "people": (people(), FRAME, LABELS),
    "images": (CNNClassifier((2,), **QUICK), IMAGES, np.arange(40) % 3),
    "floats": (CNNClassifier((2,), **QUICK), IMAGES / 255, np.arange(40) % 3),
    "texts": (make_pipeline(TfidfVectorizer(), mlp()), TEXTS, np.arange(40) % 2),
    "tokens": (
        RNNClassifier(4, **QUICK),
        [t.split() for t in TEXTS],
        np.arange(40) % 2,
    ),
    "series": (
        RNNClassifier(4, **QUICK),
        NUMBERS[:, :, None].astype(np.float32),
        np.arange(60) % 2,
    ),
    "gaussian": (MLPRegressor((6,), loss="gaussian", **QUICK), NUMBERS, NUMBERS[:, 0]),
    "dates": (TabularRegressor(8, n_networks=2, **QUICK), DATED, DATED["size"]),
    "several": (
        MultiTask(MLPRegressor((6,), **QUICK)),
        NUMBERS,
        {EVIL: LABELS, "size": NUMBERS[:, 1]},
    ),
    "wide": (mlp(), RNG.normal(size=(60, 400)), np.arange(60) % 2),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for name, (model, X, y) in MODELS.items():
        to_onnx(model.fit(X, y), X, folder / f"{name}.onnx")
    return folder


@pytest.fixture(scope="module")
def client(folder, running_server):
    return running_server([folder], "--max-rows", 500).client


def ask(client, name, status=200, files=None, **values):
    answer = client.post(f"/page/model/{name}", data=values, files=files)
    assert answer.status_code == status, answer.text
    return answer.text


def probabilities(page):
    """Percentages of the bars by label."""
    found = re.findall(
        r'<th scope="row"><bdi>(.*?)</bdi></th>.*?class="number">(.*?) %<', page
    )
    return {
        label: float(p.removeprefix("&gt; ").removeprefix("&lt; "))
        for label, p in found
    }


def test_the_list_of_models_leads_to_each(client):
    page = client.get("/").text
    for name in MODELS:
        assert f'href="page/model/{name}"' in page
        answer = client.get(f"/page/model/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert client.get("/page/model/none").status_code == 404
    assert client.get("/page/none.js").status_code == 404


def test_a_policy_forbids_what_is_inline_or_from_elsewhere(client):
    for path in ("/", "/page/model/people", "/page/page.css"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    page = client.get("/page/model/people").text
    assert not re.search(r'(src|href|action)="(https?:)?//', page)
    assert " style=" not in page
    assert not [name for name, _ in attributes(page) if name.startswith("on")]


def attributes(page):
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.extend(attributes)
    parser.feed(page)
    return found


def escaped(text):
    for a, b in {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "'": "&#x27;",
    }.items():
        text = text.replace(a, b)
    return text


def test_names_from_the_file_are_text_wherever_they_stand(client):
    row = {"f0": "31", "f1": "3", "f2": QUOTE, "f3": "true"}
    csv = f'age,rooms,"{EVIL}",owner,{EVIL}2\n31,3,Bonn,true,{EVIL}\n'
    pages = {
        "form": client.get("/page/model/people").text,
        "answer": ask(client, "people", **row),
        "faults": ask(client, "people", 422, **{**row, "f2": EVIL, "f0": EVIL}),
        "csv": ask(client, "people", csv=csv),
        "csv faults": ask(client, "people", 422, csv=csv.replace("Bonn", EVIL)),
        "tasks": ask(client, "several", f0="1", f1="2", f2="3"),
    }
    for name, page in pages.items():
        assert page.count("<script") == 1, name  # the page's own
        assert "<img" not in page, name
        assert escaped(EVIL) in page, name


def test_a_filled_row_is_predicted_as_by_the_estimator(client):
    page = ask(client, "people", f0="31.5", f1="3", f2="Bonn", f3="false")
    row = pd.DataFrame([{"age": 31.5, "rooms": 3, EVIL: "Bonn", "owner": False}])
    model = MODELS["people"][0]
    expected = dict(zip(model.classes_, model.predict_proba(row)[0], strict=True))
    got = probabilities(page)
    assert got.keys() == {escaped(label) for label in expected}
    for label, p in expected.items():
        assert got[escaped(label)] == pytest.approx(100 * p, abs=0.06)
    # The form has kept what was filled in.
    assert 'value="31.5"' in page
    assert re.search(r'<option value="Bonn" selected>', page)


def test_the_form_begins_with_defaults_and_ranges_of_the_training_rows(client):
    page = client.get("/page/model/people").text
    default = float(re.search(r'id="f0"[^>]*value="([^"]+)"', page)[1])
    assert default == pytest.approx(FRAME["age"].median())
    assert f"{FRAME['age'].min():.4g} to {FRAME['age'].max():.4g}" in page
    assert 'type="number" step="1"' in page
    assert client.get("/page/model/dates").text.count('type="date"') == 1


def test_every_input_has_a_label(client):
    for name in MODELS:
        page = client.get(f"/page/model/{name}").text
        ids = re.findall(r'<(?:input|select|textarea)\b[^>]*?\bid="([^"]+)"', page)
        named = re.findall(r'<label for="([^"]+)"', page)
        assert ids
        assert set(ids) == set(named), name
        hidden = re.findall(r"<(?:input|select|textarea)\b(?![^>]*\bid=)[^>]*>", page)
        assert all('type="hidden"' in one for one in hidden)


def test_faults_stand_beside_their_inputs(client):
    page = ask(client, "people", 422, f0="", f1="2.5", f2="Köln", f3="true")
    for name, told in (("f0", "missing"), ("f1", "integer"), ("f2", "does not know")):
        (fault,) = re.findall(rf'id="{name}-fault"[^>]*>(.*?)</p>', page)
        assert told in fault
        assert re.search(rf'id="{name}"[^>]*aria-invalid="true"', page)
    assert 'id="f3-fault"' not in page
    assert 'id="result"' not in page


CSV = f"age,rooms,{EVIL},owner\n31.5,3,Bonn,true\n40.5,4,Bonn,false\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_gives_a_table_and_a_file_of_results(client, delimiter):
    text = CSV.replace(",", delimiter)
    page = ask(client, "people", csv=text)
    assert "2 predictions" in page
    results = ask(client, "people", csv=text, download="1")
    got = pd.read_csv(io.StringIO(results))
    rows = pd.read_csv(io.StringIO(CSV))
    model = MODELS["people"][0]
    assert got["label"].tolist() == model.predict(rows).tolist()
    columns = [f"p({label})" for label in model.classes_]
    assert_allclose(got[columns], model.predict_proba(rows), atol=1e-6)
    assert got["age"].tolist() == [31.5, 40.5]


def test_columns_of_a_csv_that_the_model_does_not_use_are_named(client):
    text = "id," + CSV.replace("\n31", "\n1,31").replace("\n40", "\n2,40")
    assert "Not used: id." in ask(client, "people", csv=text)


@pytest.mark.parametrize(
    ("text", "told"),
    {
        "": ("", "has no rows"),
        "no rows": ("age,rooms\n", "has no rows"),
        "other columns": ("a,b\n1,2\n", "no column of the model"),
        "twice": ("age,age\n1,2\n", "twice"),
        "a cell less": (CSV + "1,2\n", "has 2 cells"),
        "an open quote": (CSV + '"1,2,3,4', "cannot be read"),
        "a fault": (CSV.replace("40.5", "old"), "Row 2, age: must be a number"),
        "a missing column": ("age,rooms\n1,2\n", "missing"),
    }.values(),
)
def test_a_csv_with_faults_is_refused_with_reasons(client, text, told):
    page = ask(client, "people", 422, csv=text)
    (fault,) = re.findall(r'id="csv-fault"[^>]*>(.*?)</p>', page, re.DOTALL)
    assert told in fault
    assert "\n" not in fault or told != "has no rows"


def test_too_many_rows_are_refused(client):
    text = CSV + "31.5,3,Bonn,true\n" * 600
    assert client.post("/page/model/people", data={"csv": text}).status_code == 413


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def test_an_image_file_is_predicted_without_javascript(client):
    files = {"file": ("digit.png", png(IMAGES[0, :, :, 0]), "image/png")}
    page = ask(client, "images", files=files)
    p = MODELS["images"][0].predict_proba(IMAGES[:1])[0]
    got = probabilities(page)
    assert_allclose([got[c] for c in "012"], 100 * p, atol=0.06)
    other = {"file": ("digit.png", png(IMAGES[0, :4, :, 0]), "image/png")}
    assert "5 x 4 pixels" in ask(client, "images", 422, files=other)
    broken = {"file": ("digit.png", b"x", "image/png")}
    assert "no PNG or JPEG" in ask(client, "images", 422, files=broken)
    assert "There is no image" in ask(client, "images", 422)


def test_an_image_of_other_numbers_is_scaled_to_the_range_that_is_filled_in(client):
    files = {"file": ("digit.png", png(IMAGES[0, :, :, 0]), "image/png")}
    page = ask(client, "floats", files=files, black="0", white="1")
    p = MODELS["floats"][0].predict_proba(IMAGES[:1] / 255)[0]
    got = probabilities(page)
    assert_allclose([got[c] for c in "012"], 100 * p, atol=0.06)
    refused = ask(client, "floats", 422, files=files, black="dark", white="1")
    assert "Black and white must be numbers" in refused


@pytest.mark.parametrize(
    ("name", "text", "row"),
    [
        ("texts", "a good film", "a good film"),
        ("tokens", "a good  film", ["a", "good", "film"]),
        ("series", "1\n2.5\n-3e-1\n", np.array([[1], [2.5], [-0.3]], np.float32)),
    ],
)
def test_texts_tokens_and_series_are_typed_in(client, name, text, row):
    page = ask(client, name, text=text)
    model = MODELS[name][0]
    rows = row[None] if isinstance(row, np.ndarray) else [row]
    p = model.predict_proba(rows)[0]
    got = probabilities(page)
    assert_allclose([got[c] for c in "01"], 100 * p, atol=0.06)


def test_a_series_that_is_none_is_refused_beside_its_input(client):
    for text in ("one\n2\n3", "1 2\n3\n", "1 2\n3 4\n5 6", ""):
        page = ask(client, "series", 422, text=text)
        assert 'id="text-fault"' in page


def test_a_number_stands_with_its_spread_and_tasks_by_name(client):
    page = ask(client, "gaussian", f0="1", f1="2", f2="3")
    y, std = MODELS["gaussian"][0].predict([[1, 2, 3]], return_std=True)
    headline = re.search(
        r'class="headline"><bdi>(.*?)</bdi><small> ± (.*?)</small>', page
    )
    assert_allclose(float(headline[1]), y[0], rtol=1e-4)
    assert headline[2] == f"{std[0]:.3g}"
    page = ask(client, "several", f0="1", f1="2", f2="3")
    assert page.count('<div class="task">') == 2


def test_a_wide_table_has_no_form_but_takes_a_csv(client):
    page = client.get("/page/model/wide").text
    assert 'id="f0"' not in page
    head = ",".join(f"x{j}" for j in range(400))
    assert "1 prediction" in ask(
        client, "wide", csv=f"{head}\n{','.join(['1'] * 400)}\n"
    )


def test_a_body_that_is_no_form_is_refused(client):
    for content, kind in (
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"x", "multipart/form-data"),
        (b"f0=1&" * 5000, "application/x-www-form-urlencoded"),
    ):
        answer = client.post(
            "/page/model/people", content=content, headers={"content-type": kind}
        )
        assert answer.status_code in (400, 422)


VOID = {"input", "link", "meta", "br"}


def assert_balanced(page):
    """Every element ends, in the order in which they began."""
    open_tags = []

    def end(tag):
        assert open_tags.pop() == tag

    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tag in VOID or open_tags.append(tag)
    parser.handle_endtag = end
    parser.feed(page)
    parser.close()
    assert open_tags == []


@pytest.mark.parametrize("name", MODELS)
def test_every_page_is_balanced_markup_with_unique_ids(client, name):
    page = client.get(f"/page/model/{name}").text
    assert_balanced(page)
    ids = [value for key, value in attributes(page) if key == "id"]
    assert len(ids) == len(set(ids))


LARGE = {
    "columns": (
        "application/x-www-form-urlencoded",
        b"csv=" + b"a," * 1_000_000 + b"%0A1",
    ),
    "parts": ("multipart/form-data; boundary=b", b"--b\r\n" * 2_000_000),
    "lines": ("multipart/form-data; boundary=b", b"--b" + b"\r\n" * 4_000_000),
    "a header": (
        "multipart/form-data; boundary=b",
        b"--b\r\n" + b"a: b\r\n" * 2_000_000,
    ),
    "quotes": ("application/x-www-form-urlencoded", b"csv=age%0A" + b'"' * 4_000_000),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_large_form_takes_no_long_time(client, kind):
    form, body = LARGE[kind]
    start = time.perf_counter()
    answer = client.post(
        "/page/model/people", content=body, headers={"content-type": form}
    )
    assert time.perf_counter() - start < 10
    assert answer.status_code in (400, 413, 422)
    assert len(answer.content) < 2_000_000


ROWS = st.dictionaries(
    st.sampled_from(["f0", "f1", "f2", "f3", "x", "text", "image", "black", "csv"]),
    st.text(max_size=12)
    | st.sampled_from(["1", "true", "Bonn", "nan", "inf", "-1e999", "1_0", QUOTE, CSV])
    | st.floats().map(str),
    max_size=8,
)
BOUNDED = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck)
)


@BOUNDED
@given(values=ROWS, name=st.sampled_from(sorted(MODELS)))
def test_random_forms_are_answered_with_a_page(client, values, name):
    answer = client.post(f"/page/model/{name}", data=values)
    assert answer.status_code in (200, 400, 422), answer.text
    if answer.status_code != 400:
        assert_balanced(answer.text)
        assert ('id="result"' in answer.text) == (answer.status_code == 200)


@BOUNDED
@given(
    body=st.binary(max_size=80)
    | st.sampled_from([b"--b\r\n", b"--b\r\n\r\nx\r\n--b--", b"--b--"]),
    kind=st.sampled_from(
        ["multipart/form-data; boundary=b", "multipart/form-data", "text/plain", ""]
    ),
)
def test_random_bytes_as_a_form_make_no_failure(client, body, kind):
    headers = {"content-type": kind}
    answer = client.post("/page/model/images", content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text


@pytest.fixture(scope="module")
def guarded(folder, running_server):
    env = {"SKLEARN_DEEP_TOKEN": "sesame & <co>"}
    return running_server([folder / "people.onnx"], env=env).client


def test_the_page_asks_for_the_token_and_tells_nothing_before(guarded):
    for path in ("/", "/page/model/people", "/page/model/none"):
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert 'type="password"' in answer.text
        assert "people" not in answer.text
    assert guarded.post("/page/model/people", data={"f0": "1"}).status_code == 401
    assert guarded.get("/page/page.css").status_code == 200


def test_another_token_is_refused(guarded):
    for token in ("", "Sesame", "sesame & <co>x", "ü"):
        answer = guarded.post("/page/sign-in", data={"token": token})
        assert answer.status_code == 401
        assert "not the token" in answer.text
        assert "set-cookie" not in answer.headers


def test_who_has_signed_in_sees_the_page_and_only_that(guarded):
    answer = guarded.post("/page/sign-in", data={"token": "sesame & <co>"})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "sesame" not in cookie
    assert guarded.get("/").status_code == 200
    row = {"f0": "31", "f1": "3", "f2": "Bonn", "f3": "true"}
    assert guarded.post("/page/model/people", data=row).status_code == 200
    for path in ("/v1/models", "/v2", "/openapi.json", "/metrics"):
        assert guarded.get(path).status_code == 401
    assert guarded.post("/page/sign-out").status_code == 303
    guarded.cookies.clear()
    assert guarded.get("/").status_code == 401


def test_a_made_up_cookie_opens_nothing(guarded):
    for value in ("", "1", "99999999999.abc", "x.y", "²." + "0" * 64):
        cookie = f"sklearn_deep_page={value}".encode()
        assert guarded.get("/", headers={"cookie": cookie}).status_code == 401


def test_a_program_may_send_the_token_itself(guarded):
    headers = {"authorization": "Bearer sesame & <co>"}
    assert guarded.get("/", headers=headers).status_code == 200
