"""The tabular sets of the accuracy benchmark: reading, splits, preprocessing, score.

``adult:2000`` is a bootstrap sample of 2,000 training rows of adult, and
``adult:2000:flip`` one of a set in which a fifth of the labels were exchanged. In
``adult:2000:x4`` every column stands beside three copies with their rows permuted.
"""

import json
from dataclasses import dataclass, replace
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

SETS = [
    "adult",
    "churn_modelling",
    "credit_approval",
    "credit_g",
    "letter",
    "phoneme",
    "soybean",
    "titanic",
    "abalone",
    "california_housing",
    "concrete",
    "cpu_act",
    "elevators",
    "kin8nm",
    "pol",
    "wine_quality_red",
    "yacht",
    "emotions",
    "energy_efficiency",
    "jura",
    "yeast",
]

_NOISY_BASES = [
    "adult",
    "churn_modelling",
    "credit_approval",
    "credit_g",
    "phoneme",
    "titanic",
]
NOISY = [
    f"{name}:{kind}" for kind in ("1000", "5000", "2000:flip") for name in _NOISY_BASES
]

SCALING = [
    *(f"adult:{n_rows}" for n_rows in (1_000, 10_000, 100_000, 200_000)),
    *(f"adult:10000:x{times}" for times in (2, 4, 8)),
]

FLIPPED = 0.2
SMALL = 2000  # rows

# Published errors of a plain MLP, from the repositories named in each set's meta.json
# (RTDL: Gorishniy 2021; TabM; TabR; the splits and protocols of MC dropout).
PUBLISHED = {
    "adult": (1 - 0.8522, "RTDL, tuned MLP"),
    "churn_modelling": (1 - 0.8553, "TabM, tuned MLP, another split"),
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
    n_drawn : int or None
        Training rows that a split draws with replacement; None takes each once.
    """

    name: str
    task: str
    X: pd.DataFrame
    y: np.ndarray
    categorical: list
    published_splits: list
    n_drawn: int | None = None

    @property
    def is_classification(self):
        """Whether the targets are classes or labels."""
        return self.task in ("binary", "multiclass", "multilabel")

    def split(self, i):
        """Train and test rows number ``i``: the published ones, else a random 80/20."""
        rows = np.arange(len(self.y))
        if self.published_splits:
            test = self.published_splits[i % len(self.published_splits)]
            train = np.setdiff1d(rows, test)
        else:
            classes = self.y if self.task in ("binary", "multiclass") else None
            train, test = train_test_split(
                rows, test_size=0.2, random_state=i, stratify=classes
            )
        if self.n_drawn is not None:
            train = np.random.default_rng(i).choice(train, self.n_drawn)
        return train, test

    def n_splits(self, asked):
        """Splits to run: four times as many of a small set, whose scores vary."""
        return asked * (4 if len(self.y) < SMALL else 1)

    def frame(self, rows):
        """Rows of X as they came, categories as such and missing numbers missing."""
        return self.X.iloc[rows].astype(dict.fromkeys(self.categorical, "category"))

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
    """Read one set, or a noisy sample of one, from the data folder."""
    name, *noise = name.split(":")
    table = _read(folder, name)
    if not noise:
        return table
    table = replace(table, name=":".join([name, *noise]), n_drawn=int(noise[0]))
    for kind in noise[1:]:
        table = _with_flipped(table) if kind == "flip" else _wider(table, int(kind[1:]))
    return table


def _with_flipped(table):
    return replace(table, y=_flipped(table.y))


def _wider(table, times):
    """The table so many times side by side: only in the first one do the rows fit y."""
    orders = [
        np.random.default_rng(i).permutation(len(table.y)) for i in range(1, times)
    ]
    copies = [
        table.X.iloc[order].reset_index(drop=True).add_suffix(f"_{i}")
        for i, order in enumerate(orders, 1)
    ]
    names = [f"{c}_{i}" for i in range(1, times) for c in table.categorical]
    X = pd.concat([table.X.reset_index(drop=True), *copies], axis=1)
    return replace(table, X=X, categorical=[*table.categorical, *names])


def _flipped(y):
    """Labels, a fifth of which are exchanged for the next class."""
    classes, codes = np.unique(y, return_inverse=True)
    rows = np.random.default_rng(0).random(len(y)) < FLIPPED
    return classes[(codes + rows) % len(classes)]


def _read(folder, name):
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
