"""A search on workers that is interrupted: ``python interrupted_search.py ENGINE FOLDER``."""

import sys
import time
from pathlib import Path

from joblib import Parallel, delayed, parallel_config

from local_clusters import ENGINES
from sklearn_deep import MLPClassifier
from stacked_uses import rows

# So many epochs take longer than any test.
ENDLESS = 10_000_000


def fit(folder, k):
    """Fit a network for ever; a file tells that it has begun."""
    (Path(folder) / f"{k}.begun").touch()
    MLPClassifier((4,), max_epochs=ENDLESS, n_iter_no_change=None).fit(*rows())


def run(engine, folder):
    """Tell when the interrupted call and the one after it have ended."""
    with ENGINES[engine]():
        with parallel_config(backend="stacked", over=engine, n_jobs=2):
            try:
                Parallel()(delayed(fit)(folder, k) for k in range(40))
            except KeyboardInterrupt:
                print("interrupted", flush=True)
            start = time.monotonic()
            # It gets the workers' threads only when the fits have ended.
            assert Parallel()(delayed(pow)(k, 2) for k in range(3)) == [0, 1, 4]
            print(f"free after {time.monotonic() - start}", flush=True)


if __name__ == "__main__":
    run(*sys.argv[1:])
