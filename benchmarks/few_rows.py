"""The default classifier on few rows, beside scikit-learn's and boosting.

    python benchmarks/few_rows.py --data DIR [--rows 100 300 700] [--flip 0.2]

Random samples of 9 tables (their columns of numbers, standardised) and of 4 sets of
scikit-learn; all other rows, 1,500 at most, test. With ``--flip`` this share of the
training labels is drawn anew. The rule of the decay was chosen on iris, wine, cancer,
digits, phoneme, credit_g, credit_approval, titanic and churn_modelling: the sets that
have a star were not looked at before.
"""

import argparse
import warnings

import numpy as np
from _common import print_table, print_versions, verdict
from _tables import load
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as TheirMLP
from sklearn.preprocessing import LabelEncoder, StandardScaler

from sklearn_deep import MLPClassifier

TOYS = {
    "iris": load_iris,
    "wine": load_wine,
    "cancer": load_breast_cancer,
    "digits": load_digits,
}
TABLES = ["phoneme", "credit_g", "credit_approval", "titanic", "churn_modelling"]
UNSEEN = ["adult", "letter"]
MOST_TEST_ROWS = 1_500

CONTESTANTS = {
    "ours": lambda seed: MLPClassifier(random_state=seed),
    "0.1 and a tenth held out": lambda seed: MLPClassifier(
        weight_decay=0.1, random_state=seed
    ),
    "scikit-learn": lambda seed: TheirMLP(max_iter=300, random_state=seed),
    "boosting": lambda seed: HistGradientBoostingClassifier(random_state=seed),
}


def sets(folder):
    """Columns of numbers and codes of classes, by name."""
    found = {name: load_toy(return_X_y=True) for name, load_toy in TOYS.items()}
    for name in (*TABLES, *UNSEEN):
        table = load(folder, name)
        numbers = table.X.select_dtypes("number").dropna(axis=1).to_numpy(float)
        label = f"{name}*" if name in UNSEEN else name
        found[label] = numbers, LabelEncoder().fit_transform(np.ravel(table.y))
    drawn = {"n_informative": 6, "n_classes": 3, "flip_y": 0.1, "random_state": 3}
    found["drawn*"] = make_classification(6_000, 20, **drawn)
    return found


def scores(X, y, n_rows, seed, flip):
    """Accuracy and log loss of each contestant on one sample."""
    parts = train_test_split(X, y, train_size=n_rows, stratify=y, random_state=seed)
    train, test, targets, truth = parts
    test, truth = test[:MOST_TEST_ROWS], truth[:MOST_TEST_ROWS]
    rng = np.random.default_rng(seed)
    drawn = rng.random(n_rows) < flip
    targets = np.where(drawn, rng.permutation(targets), targets)
    scaler = StandardScaler().fit(train)
    for make in CONTESTANTS.values():
        model = make(seed).fit(scaler.transform(train), targets)
        sure = model.predict_proba(scaler.transform(test))
        right = accuracy_score(truth, model.classes_[sure.argmax(1)])
        yield right, log_loss(truth, sure, labels=model.classes_)


def main():
    """Print a table a number of rows, and the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the data sets")
    parser.add_argument("--rows", nargs="+", type=int, default=[100, 300, 700])
    parser.add_argument("--flip", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # their MLP ends at max_iter
    print_versions()
    verdicts = []
    for n_rows in args.rows:
        lines, means = [], []
        for name, (X, y) in sets(args.data).items():
            if n_rows > 0.75 * len(y):
                continue
            found = [
                list(scores(X, y, n_rows, s, args.flip)) for s in range(args.seeds)
            ]
            means.append(np.mean(found, 0))
            cells = [f"{right:.3f}, {loss:.3f}" for right, loss in means[-1]]
            lines.append([name, *cells])
        total = np.mean(means, 0)
        lines.append(["mean", *(f"{right:.3f}, {loss:.3f}" for right, loss in total)])
        print(f"{n_rows} rows: accuracy, log loss")
        print_table(["set", *CONTESTANTS], lines)
        ahead = total[0, 0] >= total[2, 0] and total[0, 1] <= total[2, 1]
        verdicts.append(
            verdict(ahead, f"{n_rows} rows: not behind scikit-learn's MLP on average")
        )
    print(*verdicts, sep="\n")


if __name__ == "__main__":
    main()
