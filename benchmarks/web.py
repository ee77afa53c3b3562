"""The page of to_web in headless Chromium: bytes, the first prediction, 1,000 rows.

Beside it: onnxruntime in Python on the same file and one thread, and `python -m sklearn_deep
serve` over the loopback interface, which is the best that a server can do.

    python benchmarks/web.py --runtime PATH  # the unpacked npm package onnxruntime-web
"""

import argparse
import gzip
import http.client
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from _common import print_table, print_versions
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import CNNClassifier, MLPClassifier, TabularClassifier, to_web
from sklearn_deep.serving._feeds import make_feeds
from sklearn_deep.serving._session import OnnxSession

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser import Browser, serve, start_browser

N = 1000
QUICK = {"max_epochs": 2, "random_state": 0}


def table():
    """A scaler and a network of 100 units over 64 columns."""
    X = np.random.default_rng(0).normal(size=(N, 64)).astype(np.float32)
    pipe = make_pipeline(StandardScaler(), MLPClassifier((100,), **QUICK))
    return pipe.fit(X, X[:, 0] > 0), X


def mixed():
    """An ensemble over a frame of numbers and categories."""
    import pandas as pd

    rng = np.random.default_rng(0)
    columns = {f"number {k}": rng.normal(size=N) for k in range(8)}
    texts = {f"category {k}": rng.choice(list("abcdef"), N) for k in range(4)}
    X = pd.DataFrame(columns | texts)
    return TabularClassifier(**QUICK).fit(X, X["number 0"] > 0), X


def images():
    """A convolutional network over images of 8 by 8."""
    X, y = load_digits(return_X_y=True)
    X = X[:N].reshape(-1, 8, 8).astype(np.float32)
    return CNNClassifier(**QUICK).fit(X, y[:N]), X


CASES = {
    "64 columns, MLP of 100": table,
    "12 columns, tabular": mixed,
    "8 x 8, CNN": images,
}


def bytes_of(folder, compressed):
    """Bytes of a folder, as they are or as a server sends them with gzip."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return sum(len(gzip.compress(c, 6) if compressed else c) for c in contents)


def in_page(address, name, scratch):
    """Milliseconds in the page: the first prediction since the address, a row, 1,000 rows."""
    driver = start_browser(Path(tempfile.mkdtemp(dir=scratch)))
    try:
        browser = Browser(driver)
        browser.open(f"{address}/{name}/")
        browser.wait("Boolean(window.page)")
        return browser.run_async(
            f"""const {{model, batch}} = await window.page;
            const first = performance.getEntriesByName('answer')[0].startTime;
            const {{rows}} = model.description.examples;
            const one = [];
            for (let i = 0; i < 200; i++) {{
              const start = performance.now();
              await model.predict([rows[i % rows.length]]);
              one.push(performance.now() - start);
            }}
            one.sort((a, b) => a - b);
            const many = Array.from({{length: {N}}}, (_, i) => rows[i % rows.length]);
            let best = Infinity;
            for (let k = 0; k < 5; k++) {{
              const start = performance.now();
              await model.predict(many);
              best = Math.min(best, performance.now() - start);
            }}
            return [first, one[100], best];""",
            seconds=120,
        )
    finally:
        driver.quit()


def in_python(folder, X):
    """Milliseconds of 1,000 rows, with onnxruntime on one thread."""
    opened = OnnxSession((folder / "model.onnx").read_bytes(), 1, True)
    feeds = make_feeds(X, opened.metadata)
    return min(timed(lambda: opened.session.run(None, feeds)) for _ in range(7))


def timed(call):
    """Milliseconds of a call."""
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def in_server(folder, X):
    """Milliseconds of a row and of 1,000 rows as JSON, over a connection that stays open."""
    command = [
        sys.executable,
        "-m",
        "sklearn_deep",
        "serve",
        str(folder / "model.onnx"),
    ]
    server = subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = server.stdout.readline()
        address = next(word for word in line.split() if word.startswith("http"))
        connection = http.client.HTTPConnection(urlsplit(address.rstrip(".,")).netloc)
        rows = json.loads((folder / "model.json").read_text())["examples"]["rows"]
        if np.ndim(X) > 2:
            rows = np.reshape(rows, (len(rows), *X.shape[1:])).tolist()

        def post(some):
            body = json.dumps({"rows": some})
            connection.request("POST", "/v1/models/model/predict", body, HEADERS)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content

        one = sorted(timed(lambda: post(rows[:1])) for _ in range(200))[100]
        many = min(timed(lambda: post(rows * (N // len(rows)))) for _ in range(5))
        return one, many
    finally:
        server.terminate()
        server.wait()


HEADERS = {"Content-Type": "application/json"}


def main():
    """Measure all cases, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runtime", required=True)
    runtime = parser.parse_args().runtime
    warnings.simplefilter("ignore")
    print_versions(("onnxruntime",))
    sizes, times = [], []
    with tempfile.TemporaryDirectory() as scratch, serve(scratch) as address:
        for k, (name, make) in enumerate(CASES.items()):
            model, X = make()
            bare = to_web(model, X, Path(scratch) / f"bare {k}")
            whole = to_web(model, X, Path(scratch) / f"case{k}", runtime=runtime)
            kilobytes = [
                bytes_of(folder, compressed) / 1000
                for folder in (bare, whole)
                for compressed in (False, True)
            ]
            sizes.append([name, *(f"{size:,.0f}" for size in kilobytes)])
            first, one, many = in_page(address, f"case{k}", scratch)
            served = [f"{t:.1f}" for t in in_server(whole, X)]
            python = f"{in_python(whole, X):.1f}"
            times.append(
                [name, f"{first:.0f}", f"{one:.2f}", f"{many:.1f}", *served, python]
            )
    head = ["bundle, kB", "page", "page, gzip", "with runtime", "with runtime, gzip"]
    print_table(head, sizes)
    print()
    head = ["ms", "first prediction", "a row", "1,000 rows"]
    print_table(
        [*head, "server: a row", "server: 1,000 rows", "Python: 1,000 rows"], times
    )


if __name__ == "__main__":
    main()
