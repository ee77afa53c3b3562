"""The table and the picture of compressed models."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import sklearn_deep.inspection._compression_report as reporting
from sklearn_deep import (
    CompressionDisplay,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    Pruned,
    Sliced,
    compression_report,
)

QUICK = {"max_epochs": 3, "random_state": 0}


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch):
    monkeypatch.setattr(reporting, "_SECONDS", 0.0)


@pytest.fixture(scope="module")
def models(iris):
    X, y = iris
    dense = MLPClassifier((32,), **QUICK).fit(X, y)
    settings = {"prefit": True, "fine_tune_epochs": 0}
    return [
        dense,
        Sliced(dense, 0.25, **settings).fit(X, y),
        Pruned(dense, 0.75, **settings).fit(X, y),
    ]


@pytest.mark.oldest
def test_it_counts_and_scores_and_times(models, iris):
    X, y = iris
    report = compression_report(models, X, y, names=["dense", "sliced", "pruned"])
    columns = report.columns
    assert columns["parameters"].tolist() == [259, 67, 259]
    assert columns["nonzero"][2] < 100
    assert columns["score"].tolist() == [m.score(X, y) for m in models]
    assert columns["onnx_bytes"][1] < columns["onnx_bytes"][0]
    assert columns["zipped_bytes"][2] < columns["zipped_bytes"][0]
    for where in ("python", "onnx"):
        times = [columns[f"{where}_us_{n}"] for n in (1, 32, 1024)]
        assert (np.array(times) > 0).all()
        assert (times[2] < times[0]).all()
    lines = str(report).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["dense", "sliced", "pruned"]
    assert isinstance(report.to_frame(), pd.DataFrame)


def test_it_looks_into_pipelines_and_names_models_by_their_class(iris):
    X, y = iris
    pipe = make_pipeline(StandardScaler(), MLPClassifier((4,), **QUICK)).fit(X, y)
    report = compression_report([pipe], X, y, scoring="neg_log_loss")
    assert report.names == ["Pipeline"]
    assert report.columns["score"][0] < 0


def test_a_model_without_an_onnx_form_has_no_numbers_of_one(models, iris):
    X, y = iris
    export_fails = ModuleClassifier(make_sorted, **QUICK).fit(X, y)
    report = compression_report([models[0], export_fails], X, y)
    assert np.isnan(report.columns["onnx_bytes"]).tolist() == [False, True]
    assert any("ModuleClassifier" in note for note in report.notes)
    assert "nan" in str(report)


class Sorted(nn.Linear):
    """A layer that the export does not know, and torch's does not trace."""

    def forward(self, x):
        rows = [torch.from_numpy(np.sort(row.detach().numpy())) for row in x]
        return super().forward(x) + 0 * torch.stack(rows)[:, :1]


def make_sorted(n_features, n_outputs):
    return Sorted(n_features, n_outputs)


def test_names_must_be_as_many_as_models(models, iris):
    with pytest.raises(ValueError, match="3 models and 1 names"):
        compression_report(models, *iris, names=["one"])


def test_the_picture_shows_every_model(models, iris):
    display = CompressionDisplay.from_estimators(models, *iris, names=list("abc"))
    for ax in display.axes_:
        assert ax.get_legend_handles_labels()[1] == ["a", "b", "c"]
        assert ax.get_xscale() == "log"


def test_a_regressor_is_scored_as_it_scores_itself(regression):
    X, y = regression
    model = MLPRegressor((4,), **QUICK).fit(X, y)
    report = compression_report([model], X, y)
    assert report.columns["score"][0] == model.score(X, y)
