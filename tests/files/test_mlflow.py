"""mlflow logs and loads a fitted Pipeline with the list of trusted types."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import SKOPS_TRUSTED_TYPES, MLPClassifier

mlflow = pytest.importorskip("mlflow")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

ROWS = np.random.default_rng(0).normal(size=(24, 6))
LABELS = np.arange(24) % 2


def test_a_logged_pipeline_gives_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # no database is needed
    mlflow.set_tracking_uri(tmp_path.as_uri())
    mlflow.set_experiment("files")
    network = MLPClassifier((4,), max_epochs=2, random_state=0)
    pipe = make_pipeline(StandardScaler(), network).fit(ROWS, LABELS)
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            pipe,
            name="model",
            serialization_format="skops",
            skops_trusted_types=SKOPS_TRUSTED_TYPES,
        )
    loaded = mlflow.sklearn.load_model(info.model_uri)
    assert_array_equal(loaded.predict_proba(ROWS), pipe.predict_proba(ROWS))
