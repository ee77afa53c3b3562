"""Export of networks over dates and durations: the calendar is in the graph."""

import datetime

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    OnnxClassifier,
    OnnxExportError,
    OnnxRegressor,
    TabularClassifier,
    TabularRegressor,
    to_onnx,
)
from sklearn_deep.data._calendar import CALENDAR
from sklearn_deep.data._calendar import phases as in_python
from sklearn_deep.export._to_onnx import OLDEST_OPSET
from sklearn_deep.export.graph._graph import DOUBLE, Graph, Value
from sklearn_deep.export.networks._times import _CYCLES, phases
from sklearn_deep.export.parity._edge_rows import edge_rows

N_ROWS = 150
QUICK = {
    "n_networks": 2,
    "hidden_layer_sizes": 16,
    "max_epochs": 20,
    "random_state": 0,
}
RNG = np.random.default_rng(0)


def moments(start, n_days, unit):
    return pd.Series(
        pd.Timestamp(start)
        + pd.to_timedelta(
            RNG.integers(0, n_days * (1 if unit == "D" else 86_400), N_ROWS), unit=unit
        )
    )


def some_days(first, n):
    start = datetime.date.fromisoformat(first)
    return [start + datetime.timedelta(int(k)) for k in RNG.integers(0, n, N_ROWS)]


FRAME = pd.DataFrame(
    {
        "since": moments("1890-01-01", 100_000, "D"),
        "at": moments("2020-01-01", 1_500, "s")
        .dt.tz_localize("UTC")
        .dt.tz_convert("Europe/Berlin"),
        "took": pd.Series(pd.to_timedelta(RNG.exponential(1_000, N_ROWS), unit="s")),
        "day": some_days("2020-02-28", 900),
        "month": pd.PeriodIndex(moments("2019-01-01", 900, "D"), freq="M"),
        "size": RNG.normal(size=N_ROWS),
        "same": pd.Timestamp("2020-01-01"),
    }
)
FRAME.loc[::7, "since"] = pd.NaT
FRAME.loc[::5, "at"] = pd.NaT
FRAME.loc[::9, "took"] = pd.NaT
FRAME.loc[::8, "day"] = None
LABELS = np.where(FRAME["since"].dt.month.fillna(3) > 6, "late", "early")


@pytest.fixture(scope="module")
def model():
    return TabularClassifier(**QUICK).fit(FRAME, LABELS)


@pytest.fixture(scope="module")
def file(model):
    return OnnxClassifier(to_onnx(model, FRAME).to_bytes())


def test_dates_and_durations_of_all_forms_are_predicted_by_the_file(model, file):
    expected = model.predict_proba(FRAME)
    assert model.score(FRAME, LABELS) > 0.8
    assert_allclose(file.predict_proba(FRAME), expected, atol=1e-5)
    assert_allclose(file.predict_proba(FRAME[:1]), expected[:1], atol=1e-5)


ODD = {
    "missing": pd.NaT,
    "before 1970": pd.Timestamp("1600-02-29 23:59:59.999999"),
    "a microsecond before midnight": pd.Timestamp("2024-02-29 23:59:59.999999"),
    "a leap day of a century": pd.Timestamp("2000-02-29"),
    "far": pd.Timestamp("2261-12-31 12:00"),
}


@pytest.mark.parametrize("name", ODD)
def test_unusual_dates_are_predicted_as_the_estimator_does(name, model, file):
    rows = FRAME[:3].assign(since=pd.Series([ODD[name]] * 3, dtype="datetime64[us]"))
    assert_allclose(file.predict_proba(rows), model.predict_proba(rows), atol=1e-5)


def test_dates_are_whole_microseconds_since_1970_in_utc(model):
    export = to_onnx(model, FRAME)
    session = onnxruntime.InferenceSession(export.to_bytes())
    types = {info.name: info.type for info in session.get_inputs()}
    assert types.pop("size") == "tensor(double)"
    assert set(types) == {"since", "at", "took", "day", "month"}
    assert set(types.values()) == {"tensor(int64)"}
    row = FRAME.loc[[3]]
    feed = {
        name: row[[name]].to_numpy("M8[us]").astype(np.int64)
        for name in ("since", "day")
    }
    feed["at"] = row[["at"]].to_numpy("M8[us]").astype(np.int64)
    feed["took"] = row[["took"]].to_numpy("m8[us]").astype(np.int64)
    feed["month"] = np.array([[row["month"].iloc[0].start_time.value // 1000]])
    feed["size"] = row[["size"]].to_numpy()
    found = session.run(["probabilities"], feed)[0]
    assert_allclose(found, model.predict_proba(row), atol=1e-5)


def test_polars_frames_have_dates_too():
    frame = pl.DataFrame(
        {
            "since": some_days("1960-01-01", 20_000),
            "at": moments("2020-01-01", 1_500, "s").dt.tz_localize("UTC").tolist(),
            "took": [datetime.timedelta(seconds=k) for k in range(N_ROWS)],
            "hour": [datetime.time(k % 24, k % 60) for k in range(N_ROWS)],
        }
    ).with_columns(
        since=pl.when(pl.col("took").dt.total_seconds() % 7 > 0).then("since")
    )
    y = np.arange(N_ROWS) + 10.0 * frame["since"].dt.month().fill_null(0).to_numpy()
    model = TabularRegressor(**QUICK).fit(frame, y)
    opened = OnnxRegressor(to_onnx(model, frame).to_bytes())
    assert_allclose(opened.predict(frame), model.predict(frame), rtol=1e-5)
    assert_allclose(opened.predict(frame[:1]), model.predict(frame[:1]), rtol=1e-5)


def test_every_phase_of_the_calendar_is_computed_alike():
    """For the days of a whole calendar of 400 years, at any time of the day."""
    assert _CYCLES.keys() == CALENDAR.keys()
    every = np.arange(-140_000, 150_000) + RNG.random(290_000) * (
        RNG.random(290_000) > 0.5
    )
    every[::1000] = np.nan
    for cycle in CALENDAR:
        graph = Graph(OLDEST_OPSET)
        days = Value("days", DOUBLE)
        out = phases(graph, cycle, days)
        model = graph.model([(days, [1])], [out])
        session = onnxruntime.InferenceSession(model.SerializeToString())
        (found,) = session.run(None, {"days": every[:, None]})
        assert_allclose(found, in_python(cycle, every), atol=1e-11)


def test_old_operator_sets_have_dates_too(model):
    opened = OnnxClassifier(to_onnx(model, FRAME, target_opset=OLDEST_OPSET).to_bytes())
    assert_allclose(opened.predict_proba(FRAME), model.predict_proba(FRAME), atol=1e-5)


def test_a_search_over_a_pipeline_keeps_dates(model):
    columns = ColumnTransformer(
        [("s", StandardScaler(), ["size"])], remainder="passthrough"
    )
    pipe = make_pipeline(
        columns.set_output(transform="pandas"), TabularClassifier(**QUICK)
    )
    search = GridSearchCV(pipe, {"tabularclassifier__dropout": [0.0]}, cv=2)
    frame = FRAME[["since", "size"]]
    search.fit(frame, LABELS)
    opened = OnnxClassifier(to_onnx(search, frame).to_bytes())
    expected = search.predict_proba(frame)
    assert_allclose(opened.predict_proba(frame), expected, atol=1e-5)


def test_rows_of_another_kind_are_refused_by_the_file(file):
    text = FRAME.assign(since="2020-01-01")
    with pytest.raises(
        TypeError, match=r"'since' must contain dates, as at the export"
    ):
        file.predict(text)
    with pytest.raises(TypeError, match=r"'took' must contain durations"):
        file.predict(FRAME.assign(took=FRAME["since"]))
    with pytest.raises(TypeError, match=r"'at' must contain dates, as .* got int64"):
        file.predict(FRAME.assign(at=np.arange(N_ROWS)))


def test_a_column_without_any_date_is_predicted_by_the_file(model, file):
    nothing = FRAME[:4].assign(since=pd.Series([None] * 4, dtype=object))
    assert_array_equal(file.predict(nothing), model.predict(nothing))
    with pytest.raises(OnnxExportError, match="'since' held times in fit"):
        to_onnx(model, nothing)


def test_dates_as_categories_are_an_error_that_names_the_column():
    frame = FRAME[["day", "size"]]
    model = TabularClassifier(categorical_features=["day"], **QUICK).fit(frame, LABELS)
    with pytest.raises(
        OnnxExportError, match=r"'day' contains values of date.* no categ"
    ):
        to_onnx(model, frame)


@pytest.mark.parametrize("name", ["since", "took"])
def test_a_missing_date_is_compared_though_no_row_has_one(name):
    frame = FRAME[[name, "size"]].dropna()
    model = TabularClassifier(**QUICK).fit(frame, LABELS[frame.index])
    rows = edge_rows(model, frame)
    assert sum(int(block[name].isna().sum()) for block in rows) == 1
    opened = OnnxClassifier(to_onnx(model, frame).to_bytes())
    missing = frame[:2].assign(
        **{name: pd.Series([pd.NaT] * 2, dtype=frame[name].dtype)}
    )
    expected = model.predict_proba(missing)
    assert_allclose(opened.predict_proba(missing), expected, atol=1e-5)
