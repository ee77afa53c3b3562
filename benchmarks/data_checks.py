"""Faults planted in known data: what ``check_data`` finds of them, and what it finds without.

Each check runs at the level that it has in a whole report, on at most ``--rows`` rows of a
set without its own copies. ``--cleanlab PYTHON`` runs cleanlab, in an environment of its
own, on out-of-fold probabilities of boosting that are made for it: not those that
``check_data`` makes for itself, so that the two are not compared like for like.
"""

import argparse
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from _common import print_table, print_versions, verdict
from _tables import load
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline

from sklearn_deep import MLPClassifier, check_data

SETS = [
    "adult",
    "churn_modelling",
    "credit_g",
    "phoneme",
    "letter",
    "abalone",
    "california_housing",
    "concrete",
    "cpu_act",
    "kin8nm",
]
LEVEL, N_CHECKS = 0.05, 13

_CLEANLAB = """
import sys, numpy as np
from cleanlab.filter import find_label_issues
found = np.load(sys.argv[1])
np.save(sys.argv[2], find_label_issues(found["y"], found["p"]))
"""


class Case:
    """A set without copies, shuffled, in two parts."""

    def __init__(self, folder, name, n_rows):
        table = load(folder, name)
        X = table.frame(np.arange(len(table.y)))
        order = np.random.default_rng(0).permutation(len(X))
        X, y = X.iloc[order], table.y[order]
        first = ~X.duplicated().to_numpy()
        X, y = X[first].reset_index(drop=True), y[first]
        n = min(len(X) * 4 // 5, n_rows)
        self.name, self.table, self.is_classes = name, table, table.is_classification
        self.X, self.y = X.iloc[:n], y[:n]
        self.X_test = X.iloc[n : n + n // 2].reset_index(drop=True)
        self.y_test = y[n : n + n // 2]
        if table.y.dtype == object:
            self.y, self.y_test = self.y.astype(str), self.y_test.astype(str)
        self.rng = np.random.default_rng(1)


def check(X, y, X_test=None, *, name):
    return check_data(
        X, y, X_test, checks=[name], level=LEVEL / N_CHECKS, random_state=0
    )


def rated(found, planted):
    """Precision and recall; precision of nothing is NaN."""
    found, planted = set(found), set(planted)
    hits = len(found & planted)
    return (hits / len(found) if found else np.nan), hits / len(planted)


def copies(case):
    X, rows = case.X.copy(), case.rng.choice(len(case.X), len(case.X) // 50, False)
    half = len(rows) // 2
    X.iloc[rows[:half]] = X.iloc[rows[half : 2 * half]].to_numpy()
    report = check(X, case.y, name="duplicates")
    row, of = report.duplicates_["row"], report.duplicates_["of"]
    pairs = {frozenset(p) for p in zip(rows[:half], rows[half : 2 * half], strict=True)}
    return rated({frozenset(p) for p in zip(row, of, strict=True)}, pairs)


def near_copies(case):
    numbers = case.X.select_dtypes(float).columns
    if not len(numbers):
        return None
    X, n = case.X.copy(), len(case.X) // 100
    rows = case.rng.choice(len(X), 2 * n, False)
    X.iloc[rows[:n]] = X.iloc[rows[n:]].to_numpy()
    X = X.astype(case.X.dtypes)
    noise = 1e-3 * case.rng.normal(size=(n, len(numbers))) * X[numbers].std().to_numpy()
    X.loc[rows[:n], numbers] += noise
    report = check(X, case.y, name="near_duplicates")
    row, of = report.near_duplicates_["row"], report.near_duplicates_["of"]
    pairs = {frozenset(p) for p in zip(rows[:n], rows[n:], strict=True)}
    return rated({frozenset(p) for p in zip(row, of, strict=True)}, pairs)


def leaks(case):
    X_test = case.X_test.copy()
    n = len(X_test) // 50
    X_test.iloc[:n] = case.X.iloc[:n].to_numpy()
    X_test = X_test.astype(case.X.dtypes)
    report = check(case.X, case.y, X_test, name="leaks")
    return rated(report.leaks_["test_row"], range(n))


def drift(case):
    X_test = case.X_test.copy()
    numbers = case.X.select_dtypes("number").columns[:2]
    for column in numbers:
        X_test[column] = X_test[column] + 0.5 * case.X[column].std()
    report = check(case.X, case.y, X_test, name="drift")
    return rated(report.drift_["label"], numbers)


def leaked_column(case):
    codes = np.unique(case.y, return_inverse=True)[1] if case.is_classes else case.y
    noise = 0.02 * codes.std() * case.rng.normal(size=len(codes))
    X = case.X.assign(leaked=codes + noise)
    return rated(check(X, case.y, name="leakage").leakage_["label"], ["leaked"])


def noise_columns(case):
    names = [f"noise {i}" for i in range(4)]
    X = case.X.copy()
    for i, name in enumerate(names):
        column = case.X.iloc[:, i % case.X.shape[1]]
        X[name] = column.sample(frac=1, random_state=i).to_numpy()
        X[name] = X[name].astype(column.dtype)
    found = check(X, case.y, name="irrelevant").irrelevant_["label"]
    # Whether a column of the set is irrelevant is not known: recall only.
    return np.nan, rated(found, names)[1]


def far_targets(case):
    if case.is_classes:
        return None
    y, n = case.y.copy(), len(case.y) // 100
    y[:n] += 10 * y.std()
    report = check(case.X, y, name="target_outliers")
    return rated(report.target_outliers_["row"], range(n))


FAULTS = {
    "2 % copies": copies,
    "1 % copies with noise": near_copies,
    "2 % of the test rows in X": leaks,
    "two columns shifted by half a deviation": drift,
    "a column with the answer": leaked_column,
    "four shuffled columns": noise_columns,
    "1 % targets off by ten deviations": far_targets,
}


def planted(cases):
    """Precision and recall of each fault, over the sets."""
    rows = []
    for fault, plant in FAULTS.items():
        start = time.process_time()
        found = [result for case in cases if (result := plant(case)) is not None]
        precision, recall = np.array(found).T
        nothing = np.isnan(precision).all()
        mean = "-" if nothing else f"{np.nanmean(precision):.3f}"
        seconds = (time.process_time() - start) / len(found)
        rows.append([fault, len(found), mean, f"{recall.mean():.3f}", f"{seconds:.1f}"])
    print_table(["fault", "sets", "precision", "recall", "CPU s"], rows)


def flipped_labels(cases, cleanlab):
    """Flipped labels: ours, confident learning of cleanlab, and training after cleaning."""
    rows, gains = [], []
    for case in (case for case in cases if case.is_classes):
        for share in (0.05, 0.1, 0.2):
            y, flipped = _flip(case, share)
            report = check(case.X, y, name="labels")
            table = report.labels_
            ours = rated(table["row"], flipped)
            theirs = _cleanlab(case, y, flipped, cleanlab)
            listed = report.label_candidates_["row"][: len(flipped)]
            top = np.isin(listed, flipped).mean() if len(listed) else np.nan
            before, after, truth = _accuracies(case, y, report)
            gains.append(after - before)
            cells = [*ours, top, *theirs, before, after, truth]
            rows.append([case.name, f"{share:.0%}", *(f"{c:.3f}" for c in cells)])
    head = (
        "set, flipped, precision, recall, precision at k, cleanlab's precision, recall"
    )
    print_table(
        [*head.split(", "), "accuracy flipped", "cleaned", "right labels"], rows
    )
    print(verdict(np.mean(gains) > 0, f"cleaning gains ({np.mean(gains):+.4f})"))


def _flip(case, share):
    classes, codes = np.unique(case.y, return_inverse=True)
    rows = case.rng.choice(len(codes), int(share * len(codes)), False)
    codes[rows] = (codes[rows] + case.rng.integers(1, len(classes), len(rows))) % len(
        classes
    )
    return classes[codes], rows


def _accuracies(case, y, report):
    model = make_pipeline(
        clone(case.table.preprocessing()), MLPClassifier(random_state=0)
    )
    X_clean, y_clean = report.clean(case.X, y, what="labels")
    parts = [(case.X, y), (X_clean, y_clean), (case.X, case.y)]
    fits = [clone(model).fit(*part) for part in parts]
    return [accuracy_score(case.y_test, fit.predict(case.X_test)) for fit in fits]


def _cleanlab(case, y, flipped, python):
    if python is None:
        return np.nan, np.nan
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import cross_val_predict

    model = HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=30, random_state=0
    )
    codes = np.unique(y, return_inverse=True)[1]
    p = cross_val_predict(model, case.X, codes, method="predict_proba")
    with TemporaryDirectory() as folder:
        given, found = Path(folder) / "p.npz", Path(folder) / "rows.npy"
        np.savez(given, y=codes, p=p)
        subprocess.run([python, "-c", _CLEANLAB, given, found], check=True)
        return rated(np.flatnonzero(np.load(found)), flipped)


def simulated(n_reports):
    """Share of whole reports on data without faults that have any finding but "enough"."""
    rows, alarms = [], 0
    for kind in KINDS:
        names = []
        for seed in range(n_reports):
            X, y = KINDS[kind](np.random.default_rng(seed))
            n = len(X) * 3 // 4
            report = check_data(X[:n], y[:n], X[n:], y[n:], random_state=seed)
            found = [f.name for f in report.findings_ if f.name != "enough"]
            alarms += bool(found)
            names += found
        rows.append([kind, n_reports, ", ".join(names) or "-"])
    print_table(["data without faults", "reports", "findings"], rows)
    share = alarms / (n_reports * len(KINDS))
    print(verdict(share <= LEVEL, f"at most 5 % of reports have one ({share:.1%})"))


def _columns(rng):
    n, p = int(rng.choice([200, 500, 1000])), int(rng.integers(3, 9))
    X = rng.normal(size=(n, p)) @ (np.eye(p) + 0.3 * rng.normal(size=(p, p)))
    X /= X.std(0)
    return X, X @ (rng.choice([-1, 1], p) * rng.uniform(0.7, 1.5, p))


def _linear(rng):
    X, z = _columns(rng)
    return X, z + rng.normal(size=len(z))


def _heavy(rng):
    X, z = _columns(rng)
    return X, z + rng.standard_t(5, size=len(z))


def _logistic(rng):
    X, z = _columns(rng)
    return X, (1.5 * z + rng.logistic(size=len(z)) > 0).astype(int)


def _separable(rng):
    X, z = _columns(rng)
    return X, (z > 0).astype(int)


def _clusters(rng):
    n, p = 600, 5
    y = rng.integers(0, 3, n)
    return rng.normal(size=(n, p)) + 1.2 * rng.normal(size=(3, p))[y], y


KINDS = {
    "linear, normal noise": _linear,
    "linear, Student noise": _heavy,
    "logistic": _logistic,
    "separable": _separable,
    "three normal clusters": _clusters,
}


def as_they_are(cases):
    """Findings on the sets without a planted fault; some are true."""
    rows = []
    for case in cases:
        report = check_data(
            case.X, case.y, case.X_test, case.y_test, random_state=0, cv=3
        )
        names = ", ".join(finding.name for finding in report.findings_)
        rows.append([case.name, len(case.X), names or "-"])
    print_table(["set as it is, without its copies", "rows", "findings"], rows)


def speed():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100_000, 20))
    X[:1000] = X[1000:2000]
    X[2000:3000] = X[3000:4000] + 1e-3 * rng.normal(size=(1000, 20))
    rows = []
    for name in ("duplicates", "near_duplicates"):
        start = time.process_time()
        found = getattr(check(X, None, name=name), f"{name}_")
        rows.append([name, len(found), f"{time.process_time() - start:.1f}"])
    print_table(["100,000 rows of 20 columns", "found of 1,000", "CPU s"], rows)


SECTIONS = ("planted", "labels", "simulated", "sets", "speed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder with one folder a set")
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--reports", type=int, default=20, help="per kind of data")
    parser.add_argument("--cleanlab", help="Python of an environment with cleanlab")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    options = parser.parse_args()
    print_versions()
    cases = [Case(options.data, name, options.rows) for name in SETS]
    run = {
        "planted": lambda: planted(cases),
        "labels": lambda: flipped_labels(cases, options.cleanlab),
        "simulated": lambda: simulated(options.reports),
        "sets": lambda: as_they_are(cases),
        "speed": speed,
    }
    for section in options.sections:
        run[section]()


if __name__ == "__main__":
    main()
