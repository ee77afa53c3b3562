"""Peers of pytabkit, in an environment of their own that is made on first use.

They get arrays through a file and give predictions back through another; what is passed
has no missing numbers, as they take none.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _contestants import PEERS
from sklearn.impute import SimpleImputer

# In this order: a torch that is there keeps the others from bringing one for GPUs.
PACKAGES = ("torch==2.13.0", "pytabkit[models]")
HERE = Path(tempfile.gettempdir()) / "sklearn_deep_peers"


def environment(folder=HERE):
    """Python of the environment; the first call installs it, which takes minutes."""
    python, made = folder / "bin" / "python", folder / "made"
    if not made.exists():
        print(f"installing {', '.join(PACKAGES)} in {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        for package in PACKAGES:
            command = [str(python), "-m", "pip", "install", "--quiet", package]
            subprocess.run(command, check=True)
        made.touch()
    return python


def fit(contestant, table, split):
    """Fit one peer on one split; a dict as in :func:`_fits.fit`."""
    python = environment()
    train, test = table.split(split)
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "given.npz", Path(folder) / "answer.npz"
        np.savez(given, **_arrays(table, train, test))
        task = {
            "estimator": PEERS[contestant],
            "classes": table.is_classification,
            "seed": split,
        }
        worker = Path(__file__).with_name("_peer_worker.py")
        command = [str(python), str(worker), json.dumps(task), str(given), str(answer)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{contestant} on {table.name}: {done.stderr[-2000:]}")
        with np.load(answer) as found:
            results = {name: found[name] for name in found.files}
    results.setdefault("probabilities", None)
    return {**results, **{k: float(results[k]) for k in ("seconds", "megabytes")}}


def _arrays(table, train, test):
    numbers = [c for c in table.X if c not in table.categorical]
    arrays = {"y": table.y[train]}
    if arrays["y"].dtype == object:
        arrays["y"] = arrays["y"].astype(str)
    if numbers:
        imputer = SimpleImputer().fit(table.X[numbers].iloc[train])
    for part, rows in (("train", train), ("test", test)):
        frame = table.X.iloc[rows]
        if numbers:
            arrays[f"numbers_{part}"] = imputer.transform(frame[numbers])
        if table.categorical:
            categories = frame[table.categorical].to_numpy(dtype=str)
            arrays[f"categories_{part}"] = categories
    return arrays
