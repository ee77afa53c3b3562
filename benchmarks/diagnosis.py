"""Verdicts of ``diagnose`` on problems whose fault is known, and what its advice gains.

    python benchmarks/diagnosis.py [--problems 60] [--seed 0]

Each problem draws a target (a random network of 12 hidden units, over a table or over
series), its size and noise, and a network with one planted fault, or none. What is true is
what helps on 4,000 fresh rows: every change is made and scored there. Printed are: how often
the verdict calls for what helps most, where something clearly helps; how often it finds
nothing wrong, where nothing helps, and in unclear cases; how often the first advice improves
the score of the fresh rows; how often the interval of the learning curve (90 %) holds the
score of twice the rows; and the CPU time, as a multiple of one cross-validation.
"""

import argparse
import time
import warnings
from collections import defaultdict

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import CNNClassifier, MLPClassifier, MLPRegressor, diagnose
from sklearn_deep.inspection.diagnosis._scoring import chosen_scorer

N_FRESH = 4_000
KINDS = ("classes", "numbers", "series")


def draw_problem(rng, kind, n_rows, noise):
    """Rows and targets for training, and fresh ones."""
    n = 2 * n_rows + N_FRESH
    if kind == "series":  # the class is the frequency of one channel
        fast = rng.integers(0, 2, n)
        time_ = np.linspace(0, 1, 24)
        phase, rate = rng.uniform(0, 6.28, (n, 1)), np.where(fast, 3.4, 2.6)[:, None]
        X = np.sin(6.28 * rate * time_ + phase)[..., None]
        X = X + rng.normal(0, 0.5 + noise, X.shape)
        y = np.where(rng.random(n) < noise, 1 - fast, fast)
    else:
        width = int(rng.integers(5, 15))
        X = rng.normal(size=(n, width))
        inner = rng.normal(size=(width, 12)) / np.sqrt(width)
        z = np.tanh(2 * X @ inner) @ rng.normal(size=12)
        z = (z - z.mean()) / z.std()
        y = z + 2 * noise * rng.normal(size=n)
        if kind == "classes":
            y = np.where(rng.random(n) < noise, z < 0, z > 0).astype(int)
    parts = np.split(np.arange(n), [n_rows, 2 * n_rows])
    return [(X[rows], y[rows]) for rows in parts]


# Fault: rows, noise, and parameters that plant it.
FAULTS = {
    "overfitting": lambda rng: (
        int(rng.choice([200, 300])),
        0.2,
        {
            "early_stopping": False,
            "dropout": 0.0,
            "weight_decay": 0.0,
            "max_epochs": 80,
        },
    ),
    "underfitting": lambda rng: (
        1000,
        0.05,
        {"hidden": 1, "learning_rate": 0.05, "dropout": 0.0},
    ),
    "not trained long enough": lambda rng: (
        800,
        0.05,
        {"max_epochs": int(rng.choice([2, 4]))},
    ),
    "learning rate too high": lambda rng: (
        800,
        0.05,
        {"learning_rate": float(rng.choice([0.3, 0.6]))},
    ),
    "learning rate too low": lambda rng: (
        800,
        0.05,
        {"learning_rate": float(rng.choice([3e-5, 1e-4]))},
    ),
    "good fit": lambda rng: (1500, 0.1, {}),
}
# What a verdict calls for.
REMEDIES = {
    "overfitting": "regularise",
    "underfitting": "enlarge",
    "not trained long enough": "train longer",
    "learning rate too high": "rate down",
    "learning rate too low": "rate up",
}
NOTHING_WRONG = {"good fit", "labels too noisy for a better score", "cannot tell"}

# Shares of a network's advantage over a constant: a change that gains as much is clearly
# called for, and one that gains less than the other is not.
CLEAR, SMALL = 0.05, 0.015
# A verdict is right where what it calls for gains nearly what the best change gains.
NEARLY = 0.7


def make_network(kind, params):
    params = dict(params, random_state=0)
    width = params.pop("hidden", 64)
    if kind == "series":
        return CNNClassifier(
            (max(1, width // 4),), spatial_dims=1, dtype="float32", **params
        )
    make = MLPClassifier if kind == "classes" else MLPRegressor
    return make_pipeline(StandardScaler(), make((width,), **params))


def fresh_score(network, train, fresh):
    """Score of fresh rows, as ``diagnose`` counts it; a mean over two seeds."""
    score, *_ = chosen_scorer(network, train[1], None)
    name = "random_state" if "random_state" in network.get_params() else ""
    name = name or f"{network.steps[-1][0]}__random_state"
    fitted = [clone(network).set_params(**{name: s}).fit(*train) for s in (0, 1)]
    return float(np.mean([score(one, *fresh) for one in fitted]))


def true_gains(diagnosis, network, train, fresh):
    """What each kind of remedy gains on fresh rows, in shares of the advantage."""
    before = fresh_score(network, train, fresh)
    best = defaultdict(lambda: -np.inf)
    of_change = {}
    for name, (change, _) in diagnosis.evidence.changed.items():
        after = fresh_score(clone(network).set_params(**change.params), train, fresh)
        of_change[name] = after - before
        best[change.remedy] = max(best[change.remedy], after - before)
    constant = diagnosis.evidence.references["constant"].test.mean()
    advantage = max(before - constant, 0.2 * abs(constant), 1e-6)
    return {k: v / advantage for k, v in best.items()}, of_change


def case_of(gains, verdict):
    """Whether a problem is clear, and whether the verdict is right."""
    most = max(gains.values())
    if most <= SMALL:
        return "nothing wrong", verdict in NOTHING_WRONG
    if most < CLEAR:
        return "unclear", verdict in NOTHING_WRONG
    own = gains.get(REMEDIES.get(verdict, ""), -np.inf)
    return "clear fault", own >= NEARLY * most


def run(rng, fault, kind):
    n_rows, noise, params = FAULTS[fault](rng)
    train, more, fresh = draw_problem(rng, kind, n_rows, noise)
    network = make_network(kind, params)
    start = time.process_time()
    cross_val_score(network, *train, cv=5)
    one = time.process_time() - start
    start = time.process_time()
    diagnosis = diagnose(network, *train)
    cost = (time.process_time() - start) / one
    gains, of_change = true_gains(diagnosis, network, train, fresh)
    case, right = case_of(gains, diagnosis.verdict)
    improved = None
    if diagnosis.advice and diagnosis.verdict in REMEDIES:
        improved = of_change[diagnosis.advice[0].change.name] > 0
    evidence, law = diagnosis.evidence, diagnosis.evidence.law()
    twice = [np.concatenate(pair) for pair in zip(train, more, strict=True)]
    error = evidence.perfect - fresh_score(network, twice, fresh)
    low, high = law.interval(2 * n_rows, noise=evidence.noise_of_one_fit())
    return diagnosis.verdict, case, right, improved, bool(low <= error <= high), cost


def share(values):
    return f"{sum(values)}/{len(values)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(options.seed)
    cases, improved, held, costs = defaultdict(list), [], [], []
    for i in range(options.problems):
        fault = list(FAULTS)[i % len(FAULTS)]
        kind = KINDS[i // len(FAULTS) % len(KINDS)]
        verdict, case, right, better, holds, cost = run(rng, fault, kind)
        cases[case].append(right)
        improved += [] if better is None else [better]
        held.append(holds)
        costs.append(cost)
        print(f"  planted {fault} ({kind}), {case}: {verdict}, {right=}", flush=True)
    for case, rights in cases.items():
        print(f"{case:14} right: {share(rights)}")
    print(f"first advice improves the score of fresh rows: {share(improved)}")
    print(f"interval holds the score of twice the rows: {share(held)}")
    print(f"CPU time of one cross-validation: {np.median(costs):.1f} times")


if __name__ == "__main__":
    main()
