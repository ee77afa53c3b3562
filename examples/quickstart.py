"""
The main job: tune a deep network like any scikit-learn estimator
=================================================================

Handwritten digits, a Pipeline, a grid search over dropout, weight decay, activation
and early stopping, and the test score beside two estimators of scikit-learn.

Run it with ``python examples/quickstart.py --figure fit_curves.png``; without
``--figure`` nothing is written.
"""

import argparse
import time
import warnings

import pandas as pd
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import FitCurveDisplay, MLPClassifier

GRID = {
    "mlpclassifier__dropout": [0.0, 0.3],
    "mlpclassifier__weight_decay": [0.0, 0.1],
    "mlpclassifier__activation": ["relu", "silu"],
    "mlpclassifier__early_stopping": [False, True],
}


def show_progress(search):
    """Add scikit-learn's progress bar; before scikit-learn 1.9 a line a fit."""
    try:
        from sklearn.callback import ProgressBar

        return search.set_callbacks(ProgressBar(max_propagation_depth=0))
    except (AttributeError, ImportError):
        return search.set_params(verbose=1)


def result_table(search):
    """The configurations of a search, best first."""
    columns = [f"param_{name}" for name in GRID]
    scores = ["mean_test_score", "std_test_score", "mean_fit_time"]
    table = pd.DataFrame(search.cv_results_)[[*columns, *scores]]
    table = table.rename(columns=lambda c: c.removeprefix("param_mlpclassifier__"))
    return table.sort_values("mean_test_score", ascending=False, ignore_index=True)


def compare(search, X_train, X_test, y_train, y_test):
    """Test accuracy of the search's best and of two estimators with their defaults."""
    rivals = {
        "scikit-learn's MLPClassifier": make_pipeline(
            StandardScaler(), SklearnMLPClassifier(random_state=0)
        ),
        "HistGradientBoostingClassifier": HistGradientBoostingClassifier(
            random_state=0
        ),
    }
    scores = {"sklearn_deep, best of the search": search.score(X_test, y_test)}
    for name, rival in rivals.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            scores[name] = rival.fit(X_train, y_train).score(X_test, y_test)
    return pd.Series(scores, name="test accuracy").sort_values(ascending=False)


def main():
    """Search, compare, and draw the fit of the best network."""
    parser = argparse.ArgumentParser(description="The main job, on real data.")
    parser.add_argument("--figure", help="where to save the picture of the fit curves")
    args = parser.parse_args()

    start = time.perf_counter()
    X, y = load_digits(return_X_y=True, as_frame=True)
    # Half of the rows to test on: of fewer, a difference of a percent is noise.
    parts = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    X_train, _, y_train, _ = parts

    network = MLPClassifier(max_epochs=40, random_state=0)
    pipe = make_pipeline(StandardScaler(), network)
    search = show_progress(GridSearchCV(pipe, GRID, cv=3, n_jobs=2))
    search.fit(X_train, y_train)

    print(result_table(search).round(4).to_string(), end="\n\n")
    print(compare(search, *parts).round(4).to_string(), end="\n\n")
    print(f"{time.perf_counter() - start:.0f} seconds in all")

    if args.figure:
        best = search.best_estimator_.set_params(mlpclassifier__early_stopping=True)
        best.fit(X_train, y_train)
        display = FitCurveDisplay.from_estimator(best, log_scale=True)
        display.figure_.savefig(args.figure, dpi=120, bbox_inches="tight")
        print(f"fit curves: {args.figure}")


if __name__ == "__main__":
    main()
