"""Few labels: SemiSupervised beside the network of labels only, and scikit-learn's methods.

Five draws of labelled rows; the others are without a label, at most ``ROWS`` of them.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from _common import print_table
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    Rotation,
    Scaling,
    SemiSupervised,
    Translation,
)

ROWS = 10_000


def optdigits(folder):
    """Digits of 8 x 8 pixels, and the rows that have a label, by draw."""
    data = np.load(Path(folder) / "optdigits" / "optdigits.npz")
    X, X_test = (data[k].reshape(-1, 8, 8, 1) / 16 for k in ("X_train", "X_test"))
    draws = {"100": data["labelled_idx_100"]}
    rows = X.astype(np.float32), data["y_train"], X_test.astype(np.float32)
    return *rows, data["y_test"], draws


def fashion(folder):
    """Images of 28 x 28 pixels, likewise."""
    data = np.load(Path(folder) / "fashion_mnist" / "fashion_mnist_60k.npz")
    indices = np.load(Path(folder) / "fashion_mnist" / "labelled_idx.npz")
    X, X_test = (data[k].reshape(-1, 28, 28, 1) / 255 for k in ("X_train", "X_test"))
    draws = {"100": indices["labelled_idx_100"]}
    rows = X.astype(np.float32), data["y_train"], X_test.astype(np.float32)
    return *rows, data["y_test"], draws


def adult(folder):
    """One column per category, numbers standardised, likewise."""
    train, test = (
        pd.read_csv(Path(folder) / "adult" / f"{part}.csv.gz")
        for part in ("train", "test")
    )
    y, y_test = ((part.pop("income") == ">50K").astype(int) for part in (train, test))
    numbers = train.select_dtypes("number").columns.tolist()
    texts = [name for name in train if name not in numbers]
    encoder = OneHotEncoder(
        handle_unknown="ignore", min_frequency=20, sparse_output=False
    )
    columns = make_column_transformer((encoder, texts), (StandardScaler(), numbers))
    X = columns.fit_transform(train).astype(np.float32)
    X_test = columns.transform(test).astype(np.float32)
    indices = np.load(Path(folder) / "adult" / "labelled_idx.npz")
    draws = {n: indices[f"labelled_idx_{n}"] for n in ("100", "1000")}
    return X, y.to_numpy(), X_test, y_test.to_numpy(), draws


def digits_models():
    augmentation = [Rotation(), Translation(), Scaling()]
    settings = {"early_stopping": False, "random_state": 0}
    network = CNNClassifier(
        (32, 64), augmentation=augmentation, max_epochs=100, **settings
    )
    stepwise = CNNClassifier((32, 64), max_epochs=20, **settings)
    return network, SemiSupervised(
        stepwise, method="fixmatch", augmentation=Translation(0.1), n_folds=2
    )


def adult_models():
    network = MLPClassifier(random_state=0)
    return network, SemiSupervised(network, scoring="neg_log_loss")


def fashion_models():
    network = CNNClassifier((16, 32), max_epochs=60, random_state=0)
    return network, SemiSupervised(network, pretrain_epochs=3)


SETS = {
    "optdigits": (optdigits, digits_models, "accuracy"),
    "adult": (adult, adult_models, "AUC"),
    "fashion_mnist": (fashion, fashion_models, "accuracy"),
}


def few_labels(folder, names=tuple(SETS)):
    """Scores on the official test rows, by set, number of labels and draw."""
    for name in names:
        read, models, measure = SETS[name]
        X, y, X_test, y_test, draws = read(folder)
        for n, of_draws in draws.items():
            rows = [
                one_draw(X, y, X_test, y_test, labelled, models(), measure)
                for labelled in of_draws
            ]
            numbers = np.array([list(row.values())[:-1] for row in rows])
            shown = [[f"{v:.4f}" for v in of] for of in [*numbers, numbers.mean(0)]]
            chosen = [*(row["chosen"] for row in rows), ""]
            names = [*range(1, len(rows) + 1), "mean"]
            table = [
                [name, *of, last]
                for name, of, last in zip(names, shown, chosen, strict=True)
            ]
            print(f"{name}, {n} labels: {measure}")
            print_table(["draw", *rows[0]], table)


def one_draw(X, y, X_test, y_test, labelled, models, measure):
    """Scores of one draw of labelled rows."""
    rng = np.random.default_rng(0)
    others = np.setdiff1d(np.arange(len(y)), labelled)
    others = rng.permutation(others)[:ROWS]
    kept = np.concatenate([labelled, others])
    few = np.where(np.arange(len(kept)) < len(labelled), y[kept].astype(int), -1)
    flat, flat_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    linear = LogisticRegression(max_iter=1000)
    network, semi = models

    def score(model, rows):
        if measure == "AUC":
            p = np.nan_to_num(
                model.predict_proba(rows)[:, 1], nan=0.5
            )  # of no neighbour
            found = roc_auc_score(y_test, p)
        else:
            found = model.score(rows, y_test)
        return round(float(found), 4)

    near = LabelSpreading(kernel="knn", n_neighbors=7)
    semi.fit(X[kept], few)
    found = {
        "linear": score(linear.fit(flat[labelled], y[labelled]), flat_test),
        "SelfTraining": score(
            SelfTrainingClassifier(linear).fit(flat[kept], few), flat_test
        ),
        "LabelSpreading": score(near.fit(flat[kept], few), flat_test),
        "labels only": score(network.fit(X[labelled], y[labelled]), X_test),
        "SemiSupervised": score(semi, X_test),
        "chosen": semi.chosen_,
    }
    print(found, file=sys.stderr, flush=True)
    return found
