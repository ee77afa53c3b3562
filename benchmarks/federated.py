"""One network from the rows of many owners, beside that of each owner and that of all rows.

Owners differ in their labels (Dirichlet distribution of concentration 0.2). Scores are on
test rows that no owner has; ``--sections`` runs parts.
"""

import argparse
import json
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from _common import best_times, print_table, print_versions, verdict
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import FederatedClassifier, MLPClassifier
from sklearn_deep.scale.federated._owners import drawn

CONCENTRATION = 0.2
OWNERS = (4, 20)
SETTINGS = {
    "FedAvg": {},
    "FedProx": {"strategy": "FedProx", "strategy_params": {"proximal_mu": 0.1}},
    "FedAvgM": {"strategy": "FedAvgM", "strategy_params": {"server_momentum": 0.5}},
}


def digits(folder):
    """Pipeline, training rows and test rows."""
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
    network = MLPClassifier((64,), learning_rate=0.01, batch_size=32, random_state=0)
    return make_pipeline(StandardScaler(), network), parts


def adult(folder):
    """The same, with an encoder of categories and numbers."""
    path = Path(folder) / "adult"
    meta = json.loads((path / "meta.json").read_text())
    train, test = (pd.read_csv(path / f"{part}.csv.gz") for part in ("train", "test"))
    words = meta["categorical"]
    numbers = [c for c in train.columns if c not in [*words, meta["target"]]]
    encode = OneHotEncoder(handle_unknown="ignore")
    head = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), encode), words),
        sparse_threshold=0,
    )
    network = MLPClassifier((64,), batch_size=256, random_state=0)
    X, X_test = (part.drop(columns=meta["target"]) for part in (train, test))
    X, y = X.iloc[:ROWS], train[meta["target"]].iloc[:ROWS]
    return make_pipeline(head, network), (
        X,
        X_test,
        y.to_numpy(object),
        test[meta["target"]].to_numpy(object),
    )


ROWS = 12_000
SETS = {"digits": digits, "adult": adult}


def rows_of(X, places):
    return X.iloc[places] if hasattr(X, "iloc") else X[places]


def groups_of(y, n_owners, seed=0):
    """The owner of each row."""
    groups = np.empty(len(y), int)
    for k, places in drawn(len(y), n_owners, CONCENTRATION, y, seed).items():
        groups[places] = k
    return groups


def accuracy(model, X, y):
    return model.score(X, y)


def area(model, X, y):
    """Area under the ROC curve: how well rows are ordered, whatever the threshold."""
    return roc_auc_score(y == model.classes_[1], model.predict_proba(X)[:, 1])


METRICS = {
    "digits": {"accuracy": accuracy},
    "adult": {"accuracy": accuracy, "AUC": area},
}


class OneLabel:
    """What an owner of one label can predict."""

    def __init__(self, label):
        self.classes_, self.label = [label, label], label

    def score(self, X, y):
        """Share of rows with this label."""
        return float(np.mean(y == self.label))

    def predict_proba(self, X):
        """No order of rows."""
        return np.full((len(X), 2), 0.5)


def local_models(pipe, X, y, groups):
    """Networks of one owner each."""
    for k in np.unique(groups):
        own = np.flatnonzero(groups == k)
        if len(np.unique(y[own])) < 2 or len(own) < 10:
            yield OneLabel(y[own][0])
        else:
            yield clone(pipe).fit(rows_of(X, own), y[own])


def section_scores(folder, rounds):
    """Scores of a fit on all rows, of owners alone, and of strategies."""
    table, beaten = [], []
    for name, load in SETS.items():
        if name == "adult" and not (Path(folder or "") / "adult").exists():
            continue
        pipe, (X, X_test, y, y_test) = load(folder)
        pooled = clone(pipe).fit(X, y)
        for n_owners in OWNERS:
            groups = groups_of(y, n_owners)
            alone = list(local_models(pipe, X, y, groups))
            together = [
                FederatedClassifier(
                    pipe, rounds=rounds, local_epochs=3, random_state=0, **setting
                ).fit(X, y, groups=groups)
                for setting in SETTINGS.values()
            ]
            last = together[0].history_.iloc[-1]
            sent = f"{(last['bytes_down'] + last['bytes_up']) / 1e6:.2f} MB"
            for word, metric in METRICS[name].items():
                own = [metric(m, X_test, y_test) for m in alone]
                found = [metric(m, X_test, y_test) for m in together]
                if name == "digits":  # adult has owners with nearly half of the rows
                    beaten.append(max(found) > max(own) + 0.2)
                table.append(
                    [
                        f"{name}, {word}",
                        n_owners,
                        f"{metric(pooled, X_test, y_test):.3f}",
                        f"{min(own):.2f}-{max(own):.2f}",
                        *(f"{score:.3f}" for score in found),
                        sent,
                    ]
                )
    head = ["set", "owners", "all rows", "owners alone", *SETTINGS, "bytes a round"]
    print_table(head, table)
    floor = "digits: the best strategy .2 above the best owner alone"
    print(verdict(all(beaten), floor))


def section_absent(folder, rounds):
    """Owners who are not asked, do not answer, or are late."""
    pipe, (X, X_test, y, y_test) = digits(folder)
    groups = groups_of(y, 20)
    table = []
    for words, params in {
        "all take part": {},
        "a fifth is asked": {"fraction": 0.2},
        "a fifth of the answers is lost": {"drop_out": 0.2},
        "half of the answers are lost": {"drop_out": 0.5},
        "half are late": {"stragglers": 0.5},
    }.items():
        model = FederatedClassifier(
            pipe, rounds=rounds, local_epochs=3, random_state=0, **params
        ).fit(X, y, groups=groups)
        answers = model.history_["owners"].map(len).mean()
        up = model.history_["bytes_up"].sum() / 1e6
        score = f"{model.score(X_test, y_test):.3f}"
        table.append([words, f"{answers:.1f}", f"{up:.1f} MB", score])
    print_table(["digits, 20 owners", "answers a round", "sent in all", "score"], table)


def section_stacks(folder, rounds):
    """CPU seconds of owners in a stack and one after the other, and equal weights."""
    table = []
    for n_owners, batch in ((4, 32), (20, 32), (20, 200)):
        pipe, (X, _, y, _) = digits(folder)
        pipe.set_params(mlpclassifier__batch_size=batch)
        groups, fitted = np.arange(len(y)) % n_owners, {}

        def run(name, backend, pipe=pipe, X=X, y=y, groups=groups, fitted=fitted):
            model = FederatedClassifier(pipe, rounds=10, local_epochs=3, random_state=0)
            with joblib.parallel_config(backend, n_jobs=None if name == "stack" else 1):
                fitted[name] = model.fit(X, y, groups=groups)

        best = best_times(
            {
                "stack": lambda run=run: run("stack", "stacked"),
                "alone": lambda run=run: run("alone", "threading"),
            },
            rounds=3,
        )
        one, other = (m.estimator_[-1].module_.state_dict() for m in fitted.values())
        gap = max(float(abs(one[k] - other[k]).max()) for k in one)
        table.append([n_owners, batch, best["stack"] / best["alone"], f"{gap:.0e}"])
    print_table(["owners", "batch", "stack / one by one", "largest difference"], table)


SECTIONS = {
    "scores": section_scores,
    "absent": section_absent,
    "stacks": section_stacks,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of data sets; without, digits only")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument(
        "--sections", nargs="+", default=list(SECTIONS), choices=SECTIONS
    )
    options = parser.parse_args()
    print_versions()
    for name in options.sections:
        start = time.process_time()
        SECTIONS[name](options.data, options.rounds)
        print(f"{name}: {time.process_time() - start:.0f} s of CPU time\n", flush=True)


if __name__ == "__main__":
    main()
