"""The tabular sets of the accuracy benchmark: reading, splits, preprocessing, score."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, hamming_loss, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# Names and cabins are all but unique: one-hot columns of them are noise.
LEFT_OUT = {"titanic": ["Name", "Ticket", "Cabin"]}

# Published figures of a plain MLP, from the repositories named in each set's meta.json
# (RTDL: Gorishniy 2021; TabM; TabR; the splits and protocols of MC dropout).
PUBLISHED = {
    "adult": (0.8522, "RTDL, tuned MLP"),
    "churn_modelling": (0.8553, "TabM, tuned MLP, another split"),
    "california_housing": (0.4985, "RTDL, tuned MLP, another split"),
    "cpu_act": (2.68, "TabM, tuned MLP, other splits"),
    "elevators": (0.00195, "TabM, tuned MLP, other splits, 16 columns"),
    "concrete": (4.83, "MC dropout, trained long, these splits"),
    "kin8nm": (0.0789, "MC dropout, trained long, these splits"),
    "wine_quality_red": (0.622, "MC dropout, trained long, these splits"),
    "yacht": (0.67, "MC dropout, trained long, these splits"),
}


@dataclass(frozen=True)
class Table:
    """A data set in memory.

    Attributes
    ----------
    task : str
        "binary", "multiclass", "multilabel", "regression" or
        "multioutput-regression".
    X : DataFrame
    y : ndarray of shape (n,) or (n, n_targets)
    categorical : list of str
    published_splits : list of ndarray
        Row numbers of test parts; empty where none is published.
    """

    name: str
    task: str
    X: pd.DataFrame
    y: np.ndarray
    categorical: list
    published_splits: list

    @property
    def is_classification(self):
        """Whether the targets are classes or labels."""
        return self.task in ("binary", "multiclass", "multilabel")

    def split(self, i):
        """Train and test rows number ``i``: the published ones, else a random 80/20."""
        rows = np.arange(len(self.y))
        if self.published_splits:
            test = self.published_splits[i % len(self.published_splits)]
            return np.setdiff1d(rows, test), test
        classes = self.y if self.task in ("binary", "multiclass") else None
        return train_test_split(rows, test_size=0.2, random_state=i, stratify=classes)

    def preprocessing(self):
        """The same for every contestant: scaled numbers, one-hot categories."""
        numbers = [c for c in self.X if c not in self.categorical]
        return make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            (
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                self.categorical,
            ),
        )

    def score(self, y_true, y_pred, y_train):
        """Accuracy; or an error: Hamming loss, RMSE, RMSE in standard deviations."""
        if self.task == "multilabel":
            return hamming_loss(y_true, y_pred)
        if self.is_classification:
            return accuracy_score(y_true, y_pred)
        if self.y.ndim == 1:
            return root_mean_squared_error(y_true, y_pred)
        spread = y_train.std(0)
        return root_mean_squared_error(y_true / spread, y_pred / spread)

    @property
    def higher_is_better(self):
        """Direction of the score."""
        return self.task in ("binary", "multiclass")

    @property
    def metric(self):
        """Name of the score."""
        if self.task == "multilabel":
            return "Hamming loss"
        if self.is_classification:
            return "accuracy"
        return "RMSE" if self.y.ndim == 1 else "RMSE / std"


def load(folder, name):
    """Read one set from the data folder."""
    folder = Path(folder) / name
    meta = json.loads((folder / "meta.json").read_text())
    splits = []
    if (folder / "train.csv.gz").exists():
        parts = [pd.read_csv(folder / f"{part}.csv.gz") for part in ("train", "test")]
        frame = pd.concat(parts, ignore_index=True)
        splits = [np.arange(len(parts[0]), len(frame))]
    else:
        frame = pd.read_csv(folder / "data.csv.gz")
        if len(meta["rows"]) == 2:  # an official split: the last rows
            splits = [np.arange(meta["rows"][0], sum(meta["rows"]))]
        elif (folder / "splits.npz").exists():
            splits = list(np.load(folder / "splits.npz")["test_idx"])
    targets = meta["target"] if isinstance(meta["target"], list) else [meta["target"]]
    dropped = [*targets, *meta.get("ignore", []), *LEFT_OUT.get(name, [])]
    X = frame.drop(columns=dropped)
    categorical = [c for c in meta["categorical"] if c in X]
    for column in categorical:
        values = X[column].astype(object)
        X[column] = values.where(values.notna(), "missing").astype(str)
    y = frame[meta["target"]].to_numpy()
    if "regression" in meta["task"]:
        y = y.astype(float)
    return Table(name, meta["task"], X, y, categorical, splits)
