"""Fits and searches that are killed at random moments and resumed until they are done.

    python benchmarks/_survival_checkpoints.py [--sections fit ...] [--kills 100]

One run after the other is killed, each at a moment that is uniform over the time of an
uninterrupted one, until a run comes to its end; its result is then compared with that of the
uninterrupted one to the last bit, and the next one begins with an empty folder. skorch stands
beside it with ``Checkpoint`` and ``LoadInitState``; the epochs that are left are computed from
its history, as it does not do that itself.

The cost is measured in the same process in turn, without kills: best of some rounds in CPU
seconds, with a checkpoint at its default interval divided by without.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import torch
from _common import best_times, print_table, print_versions, verdict
from sklearn.datasets import load_iris, make_classification
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier
from skorch.callbacks import Checkpoint as SkorchCheckpoint
from skorch.callbacks import LoadInitState
from torch import nn

from sklearn_deep import Checkpoint, MLPClassifier

X, Y = make_classification(1000, 20, n_informative=10, random_state=0)
X = X.astype(np.float32)
EPOCHS = 16
NETWORK = {"hidden_layer_sizes": (64, 64), "max_epochs": EPOCHS, "random_state": 0}

Case = Callable[[Path], bytes]


def bits(*arrays) -> bytes:
    """A digest of arrays of numbers."""
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in arrays)).digest()


def bits_of(network) -> bytes:
    """A digest of the weights of a fitted network, and of its loss in each epoch."""
    losses = network.history_["train_loss"]
    return bits(*network.module_.state_dict().values(), losses)


def fit(folder: Path, every_seconds: float = 0.05) -> bytes:
    """One network, with dropout and early stopping."""
    checkpoint = Checkpoint(folder, every_seconds=every_seconds)
    network = MLPClassifier(**NETWORK, dropout=0.2, checkpoint=checkpoint)
    return bits_of(network.fit(X, Y))


def fit_at_defaults(folder: Path) -> bytes:
    """The same, with a state on the disk after 30 s only, or where a signal comes."""
    return fit(folder, 30)


def search(folder: Path) -> bytes:
    """A grid search of 13 networks, trained as stacks."""
    network = MLPClassifier(
        **NETWORK, checkpoint=Checkpoint(folder, every_seconds=0.05)
    )
    grid = {"dropout": [0.0, 0.2], "learning_rate": [1e-3, 3e-3]}
    with joblib.parallel_config(backend="stacked"):
        found = GridSearchCV(network, grid, cv=3).fit(X, Y)
    scores = [found.cv_results_[f"split{i}_test_score"] for i in range(3)]
    return bits(*scores) + bits_of(found.best_estimator_)


class Plain(nn.Module):
    """The network for skorch."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 64),
            nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 2), nn.Softmax(-1),
        )  # fmt: skip

    def forward(self, x):
        """Probabilities of the classes."""
        return self.layers(x)


def skorch_fit(folder: Path) -> bytes:
    """One network of skorch, whose state is stored after each epoch."""
    torch.manual_seed(0)
    checkpoint = SkorchCheckpoint(monitor=None, dirname=str(folder))
    done = folder / "history.json"
    n_done = len(json.loads(done.read_text())) if done.exists() else 0
    network = NeuralNetClassifier(
        Plain,
        max_epochs=EPOCHS - n_done,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        iterator_train__shuffle=True,
        callbacks=[checkpoint, LoadInitState(checkpoint)],
        verbose=0,
    )
    network.fit(X, Y.astype(np.int64))
    return bits(*(p.detach().numpy() for p in network.module_.parameters()))


@dataclass
class Kills:
    """What came of the kills of one case."""

    n_kills: int = 0
    in_a_write: int = 0
    n_done: int = 0
    n_equal: int = 0
    n_errors: int = 0
    other_ends: int = 0
    slowest_end: float = 0.0

    def row(self, name: str, number: int) -> list[object]:
        """A row of the table."""
        return [
            name, signal.Signals(number).name, self.n_kills, self.in_a_write, self.n_done,
            self.n_equal, self.n_done - self.n_equal, self.n_errors,
        ]  # fmt: skip


def run(case: Case, folder: Path, seconds: float, number: int, kills: Kills) -> str:
    """Run a case in a process of its own; kill it after some seconds."""
    answer = folder.parent / "answer"
    process = os.fork()
    if not process:
        _child(case, folder, answer)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return answer.read_text() if status == 0 else "error"
        time.sleep(0.002)
    os.kill(process, number)
    start = time.monotonic()
    _, status = os.waitpid(process, 0)
    kills.slowest_end = max(kills.slowest_end, time.monotonic() - start)
    if os.WIFEXITED(status):  # it came to its end before the signal
        return answer.read_text() if status == 0 else "error"
    kills.other_ends += os.WTERMSIG(status) != number
    return "killed"


def _child(case: Case, folder: Path, answer: Path) -> None:
    """Write the result of a case, and end this process without cleaning up."""
    code = 1
    try:
        warnings.simplefilter("ignore")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        answer.write_text(case(folder).hex())
        code = 0
    finally:
        os._exit(code)


def measure_kills(case: Case, n_kills: int, number: int, seed: int) -> Kills:
    """Kill and resume a case again and again."""
    rng, kills = random.Random(seed), Kills()
    with tempfile.TemporaryDirectory() as place:
        start = time.monotonic()
        expected = run(case, _empty(place), 600, number, kills)
        seconds = time.monotonic() - start
    kills.slowest_end = 0.0
    while kills.n_kills < n_kills:
        with tempfile.TemporaryDirectory() as place:
            _chain(
                case,
                _empty(place),
                lambda: seconds * rng.random(),
                number,
                expected,
                kills,
            )
    return kills


def _empty(place: str) -> Path:
    folder = Path(place) / "states"
    folder.mkdir()
    return folder


def _chain(
    case: Case,
    folder: Path,
    moment: Callable[[], float],
    number: int,
    expected: str,
    kills: Kills,
) -> None:
    """Kill and resume one run until it is done."""
    while True:
        unfinished = len(list(folder.rglob("*.part")))
        answer = run(case, folder, moment(), number, kills)
        if answer != "killed":
            break
        kills.n_kills += 1
        kills.in_a_write += len(list(folder.rglob("*.part"))) > unfinished
    kills.n_errors += answer == "error"
    kills.n_done += 1
    kills.n_equal += answer == expected


def costs(rounds: int) -> list[list[object]]:
    """What a checkpoint costs where nothing is interrupted."""
    big = make_classification(20_000, 60, random_state=0)
    iris = load_iris(return_X_y=True)

    def one(checkpoint):
        MLPClassifier(max_epochs=20, random_state=0, checkpoint=checkpoint).fit(*big)

    def many(checkpoint):
        network = MLPClassifier(
            (32,), max_epochs=50, random_state=0, checkpoint=checkpoint
        )
        grid = {"dropout": [0.0, 0.2], "weight_decay": list(np.logspace(-4, -1, 8))}
        with joblib.parallel_config(backend="stacked"):
            GridSearchCV(network, grid, cv=5).fit(*iris)

    rows = []
    for name, work in [
        ("20,000 x 60, default network", one),
        ("search of 81 networks on iris, stacked", many),
    ]:
        with tempfile.TemporaryDirectory() as place:
            contestants = {
                "off": partial(work, None),
                "on": lambda work=work, place=place: work(tempfile.mkdtemp(dir=place)),
                "again": partial(work, place),
            }
            contestants["again"]()  # the states that the other calls find
            best = best_times(contestants, rounds)
        rows.append(
            [name, best["off"], best["on"] / best["off"], best["again"] / best["off"]]
        )
    return rows


CASES = {
    "fit": (fit, signal.SIGKILL, 1.0),
    "search": (search, signal.SIGKILL, 1.0),
    "terminated": (fit_at_defaults, signal.SIGTERM, 0.2),
    "skorch": (skorch_fit, signal.SIGKILL, 1.0),
}
NAMES = {
    "fit": "fit",
    "search": "stacked search",
    "terminated": "fit at the default interval",
    "skorch": "fit of skorch",
}


def rows(short: bool):
    """Pairs of a name and its numbers, for ``survival.py``."""
    for seed, (section, (case, number, share)) in enumerate(CASES.items()):
        n = max(1, round(share * (6 if short else 100)))
        yield NAMES[section], vars(measure_kills(case, n, number, seed))
    head = ["on_to_off_cpu", "finished_to_off_cpu"]
    for name, _, *ratios in costs(2 if short else 5):
        yield f"cost: {name}", dict(zip(head, ratios, strict=False))


def print_kills(sections: list[str], n_kills: int) -> None:
    """Kill and resume, and print what came of it."""
    found = {}
    for seed, section in enumerate(sections):
        case, number, share = CASES[section]
        n = max(1, round(share * n_kills))
        found[section] = measure_kills(case, n, number, seed)
    head = ["case", "signal", "kills", "in a write", "done", "equal", "other", "errors"]
    print_table(head, [k.row(NAMES[s], CASES[s][1]) for s, k in found.items()])
    ours = [kills for section, kills in found.items() if section != "skorch"]
    equal = all(kills.n_equal == kills.n_done > 0 for kills in ours)
    if ours:
        floor = "all runs that were killed and resumed are equal bit for bit"
        print(verdict(equal, floor))
    if "terminated" in found:
        kills = found["terminated"]
        ended = kills.slowest_end < 2 and not kills.other_ends
        floor = f"SIGTERM ends a fit within 2 s, as itself ({kills.slowest_end:.2f} s)"
        print(verdict(ended, floor))
    print(flush=True)


def print_costs(rounds: int) -> None:
    """Measure and print what a checkpoint costs."""
    rows = costs(rounds)
    print_table(["fit", "off, CPU s", "on / off", "finished / off"], rows)
    print(
        verdict(all(float(str(row[2])) < 1.03 for row in rows), "at most 3 % of a fit")
    )


def print_checkpoints(sections: list[str], n_kills: int, rounds: int) -> None:
    """Measure and print some sections; a process with threads should not fork."""
    kills = [section for section in sections if section in CASES]
    if kills:
        print_kills(kills, n_kills)
    if "costs" in sections:
        print_costs(rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    sections = [*CASES, "costs"]
    parser.add_argument("--sections", nargs="+", choices=sections, default=sections)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print_versions()
    print_checkpoints(arguments.sections, arguments.kills, arguments.rounds)
