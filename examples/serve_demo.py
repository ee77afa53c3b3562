"""Train two models, export them, and serve them until Ctrl+C.

A table with a column of text, and images of digits. The address is printed; the page
there takes a row, a CSV or an image.

    python examples/serve_demo.py [--port 8080] [...]

What follows goes to ``python -m sklearn_deep serve``.
"""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import CNNClassifier, MLPClassifier, to_onnx


def export_iris(folder):
    """A frame with four numbers and a column of text."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    X["garden"] = np.random.default_rng(0).choice(["north", "south", "east"], len(X))
    names = load_iris().target_names[y]
    prepare = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore"), ["garden"]),
    )
    model = make_pipeline(prepare, MLPClassifier(max_epochs=60, random_state=0))
    print(to_onnx(model.fit(X, names), X, folder / "iris.onnx"))


def export_digits(folder):
    """Images of 8 x 8 bytes."""
    digits = load_digits()
    images = (digits.images * 15).astype(np.uint8)
    model = CNNClassifier((16, 32), max_epochs=15, random_state=0)
    print(to_onnx(model.fit(images, digits.target), images, folder / "digits.onnx"))


def main():
    """Serve until Ctrl+C or SIGTERM."""
    with tempfile.TemporaryDirectory() as name:
        export_iris(Path(name))
        export_digits(Path(name))
        command = [sys.executable, "-m", "sklearn_deep", "serve", name, *sys.argv[1:]]
        server = subprocess.Popen(command)
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        try:
            server.wait()
        except KeyboardInterrupt:  # the server has got it too, and ends
            server.wait()


if __name__ == "__main__":
    main()
