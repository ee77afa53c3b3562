"""What is loaded predicts the same bits as what was saved, whatever holds the network."""

import copy
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
)
from sklearn.multiclass import OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_deep import (
    Checkpoint,
    CNNAutoencoder,
    CNNClassifier,
    CNNRegressor,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModelFileError,
    ModuleClassifier,
    NetworkFeatures,
    OnnxClassifier,
    Policy,
    Pruned,
    Quantized,
    RNNClassifier,
    RNNRegressor,
    Sliced,
    TabularClassifier,
    TabularRegressor,
    load,
    save,
    to_onnx,
)
from sklearn_deep.files._skops import dump
from sklearn_deep.training.job._checkpoint import make_checkpoint
from test_common import CONFIGURED, DEFAULT, Net, shortened

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 6))
THREE = np.arange(60) % 3
TWO = THREE % 2
NUMBERS = ROWS[:, 0] + 1.0
IMAGES = RNG.integers(0, 256, size=(60, 3, 8, 8)).astype(np.uint8)
SERIES = RNG.normal(size=(60, 2, 8))
UNEQUAL = [RNG.normal(size=(3 + i % 5, 2)) for i in range(60)]
WORDS = ["a b", "b", "c a \N{GRINNING FACE}"] * 20
FRAME = pd.DataFrame(
    {
        "town": ["A", "B", None] * 20,
        "size": np.where(ROWS[:, 1] > 1, np.nan, ROWS[:, 1]),
        "day": pd.date_range("2024-01-01", periods=60, freq="9h"),
        "open": ROWS[:, 0] > 0,
        "kind": pd.Categorical(list("pqrstuvwxyz") * 5 + list("pqrst")),
    }
)
QUICK = {"max_epochs": 2, "random_state": 0}
METHODS = "predict", "predict_proba", "decision_function", "transform"


def classifier(**params):
    return MLPClassifier((4,), **QUICK, **params)


def regressor(**params):
    return MLPRegressor((4,), **QUICK, **params)


def through_file(model, folder, **how):
    path = folder / "model.skd"
    save(model, path)
    return load(path, **how)


def outputs(model, X):
    """What each method that takes X gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in METHODS:
            if hasattr(model, method):
                yield np.asarray(getattr(model, method)(X))


def assert_same(loaded, model, X):
    pairs = list(zip(outputs(loaded, X), outputs(model, X), strict=True))
    assert pairs
    for ours, theirs in pairs:
        assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def fitted(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two epochs
        return model.fit(X, y)


CONFIGURATIONS = [
    pytest.param(
        estimator, id=name, marks=[pytest.mark.slow] if name in CONFIGURED else []
    )
    for name, estimator in {**DEFAULT, **CONFIGURED}.items()
]


@pytest.mark.parametrize("estimator", CONFIGURATIONS)
def test_every_public_estimator_gives_the_same_bits_after_loading(estimator, tmp_path):
    model = shortened(estimator)
    inner = getattr(model, "estimator", model)
    model = fitted(model, ROWS, TWO if is_classifier(inner) else NUMBERS)
    mine = (Net,) if "module" in model.get_params() else ()
    loaded = through_file(model, tmp_path, trusted=mine)
    if hasattr(
        model, "learning_rates_"
    ):  # the finder of learning rates predicts nothing
        assert_array_equal(loaded.learning_rates_, model.learning_rates_)
    else:
        assert_same(loaded, model, ROWS)


INPUTS = {
    "images": (CNNClassifier((2,), channels="first", **QUICK), IMAGES, THREE),
    "images-regression": (
        CNNRegressor((2,), channels="first", **QUICK),
        IMAGES,
        NUMBERS,
    ),
    "resnet": (
        CNNClassifier((2, 2), architecture="resnet", channels="first", **QUICK),
        IMAGES,
        TWO,
    ),
    "inception": (
        CNNClassifier(
            (2,),
            architecture="inception_time",
            spatial_dims=1,
            channels="first",
            **QUICK,
        ),
        SERIES,
        TWO,
    ),
    "series": (
        CNNClassifier((2,), channels="first", spatial_dims=1, **QUICK),
        SERIES,
        TWO,
    ),
    "unequal-cnn": (CNNClassifier((2,), **QUICK), UNEQUAL, TWO),
    "augmented": (
        CNNClassifier(
            (2,),
            channels="first",
            augmentation=Policy([[("rotation", 0.5, 0.5)]]),
            **QUICK,
        ),
        IMAGES,
        TWO,
    ),
    "unequal-rnn": (RNNClassifier(4, **QUICK), UNEQUAL, THREE),
    "steps": (
        RNNRegressor(4, return_sequences=True, **QUICK),
        UNEQUAL,
        [step[:, 0] for step in UNEQUAL],
    ),
    "words": (RNNClassifier(4, analyzer="word", **QUICK), WORDS, THREE),
    "characters": (RNNClassifier(4, analyzer="char", **QUICK), WORDS, THREE),
    "codes": (RNNClassifier(4, **QUICK), [[1, 2], [3], [2, 2, 1]] * 20, THREE),
    "frame": (TabularClassifier((4,), n_networks=2, **QUICK), FRAME, THREE),
    "frame-regression": (TabularRegressor((4,), n_networks=2, **QUICK), FRAME, NUMBERS),
    "names": (classifier(), pd.DataFrame(ROWS, columns=list("abcdef")), THREE),
    "labels": (classifier(), ROWS, np.array(["no", "yes", "perhaps"])[THREE]),
    "objects": (classifier(), ROWS, np.array(["no", "yes", "é"], object)[THREE]),
    "multilabel": (classifier(), ROWS, np.stack([TWO, THREE == 1], 1).astype(int)),
    "sparse": (classifier(), sparse.csr_matrix(ROWS), THREE),
    "quantiles": (
        regressor(loss="quantile", loss_params={"quantile": [0.1, 0.5, 0.9]}),
        ROWS,
        NUMBERS,
    ),
    "gaussian": (regressor(loss="gaussian", early_stopping=True), ROWS, NUMBERS),
    "poisson": (regressor(loss="poisson"), ROWS, np.abs(NUMBERS)),
    "float64": (regressor(dtype="float64"), ROWS, NUMBERS),
    "two-targets": (regressor(), ROWS, ROWS[:, :2]),
    "autoencoder": (MLPAutoencoder((4,), code_size=2, **QUICK), ROWS, None),
    "conv-autoencoder": (
        CNNAutoencoder((2,), channels="first", **QUICK),
        IMAGES,
        None,
    ),
    "quantized-rnn": (Quantized(RNNClassifier(4, **QUICK)), UNEQUAL, TWO),
    "quantized-cnn": (
        Quantized(CNNClassifier((2,), channels="first", **QUICK)),
        IMAGES,
        TWO,
    ),
    "4-bits": (Quantized(classifier(), bits=4), ROWS, TWO),
    "tabular-pruned": (
        Pruned(TabularClassifier((4,), n_networks=2, **QUICK)),
        FRAME,
        TWO,
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_every_kind_of_input_and_target_gives_the_same_bits(name, tmp_path):
    model, X, y = INPUTS[name]
    model = fitted(clone(model), X, y)
    loaded = through_file(model, tmp_path)
    if name == "steps":  # predictions are one array a sequence
        assert_array_equal(
            np.concatenate(loaded.predict(X)), np.concatenate(model.predict(X))
        )
    else:
        assert_same(loaded, model, X)
    assert repr(loaded) == repr(model)


NESTINGS = {
    "pipeline": (make_pipeline(StandardScaler(), classifier()), THREE),
    "grid": (GridSearchCV(classifier(), {"dropout": [0.0, 0.1]}, cv=2), THREE),
    "random": (
        RandomizedSearchCV(regressor(), {"dropout": [0.0, 0.1]}, n_iter=2, cv=2),
        NUMBERS,
    ),
    "nested-search": (
        make_pipeline(
            StandardScaler(),
            GridSearchCV(
                make_pipeline(PCA(2), classifier()),
                {"mlpclassifier__dropout": [0.0, 0.1]},
                cv=2,
            ),
        ),
        THREE,
    ),
    "voting": (
        VotingClassifier(
            [("a", classifier()), ("b", LogisticRegression())], voting="soft"
        ),
        THREE,
    ),
    "voting-regressor": (
        VotingRegressor([("a", regressor()), ("b", Ridge())]),
        NUMBERS,
    ),
    "stacking": (StackingClassifier([("a", classifier())], cv=2), THREE),
    "stacking-regressor": (StackingRegressor([("a", regressor())], cv=2), NUMBERS),
    "bagging": (BaggingClassifier(classifier(), 2, random_state=0), THREE),
    "bagging-regressor": (
        BaggingRegressor(regressor(), 2, random_state=np.random.RandomState(0)),
        NUMBERS,
    ),
    "sigmoid": (CalibratedClassifierCV(classifier(), cv=2), THREE),
    "isotonic": (CalibratedClassifierCV(classifier(), cv=2, method="isotonic"), THREE),
    "target": (
        TransformedTargetRegressor(regressor(), transformer=StandardScaler()),
        NUMBERS,
    ),
    "target-functions": (
        TransformedTargetRegressor(regressor(), func=np.cbrt, inverse_func=np.exp2),
        NUMBERS,
    ),
    "columns": (
        make_pipeline(
            ColumnTransformer(
                [("a", StandardScaler(), [0, 1]), ("b", SimpleImputer(), slice(2, 4))],
                remainder="passthrough",
            ),
            classifier(),
        ),
        THREE,
    ),
    "union": (
        make_pipeline(
            FeatureUnion([("p", PCA(2)), ("s", StandardScaler())]), regressor()
        ),
        NUMBERS,
    ),
    "one-hot": (
        make_pipeline(
            FunctionTransformer(np.sign), OneHotEncoder(), classifier(dtype="float64")
        ),
        THREE,
    ),
    "neighbours": (
        StackingClassifier(
            [("a", classifier()), ("b", KNeighborsClassifier(algorithm="brute"))], cv=2
        ),
        THREE,
    ),
    "threshold": (FixedThresholdClassifier(classifier(), threshold=0.4), TWO),
    "one-vs-rest": (OneVsRestClassifier(classifier()), THREE),
    "output-code": (OutputCodeClassifier(classifier(), random_state=0), THREE),
    "multi-output": (MultiOutputRegressor(regressor()), ROWS[:, :2]),
    "chain": (
        ClassifierChain(classifier()),
        np.stack([TWO, THREE == 1], 1).astype(int),
    ),
    "pruned": (Pruned(classifier()), THREE),
    "sliced-in-pipeline": (
        make_pipeline(StandardScaler(), Sliced(classifier())),
        THREE,
    ),
    "quantized-pruned": (Quantized(Pruned(classifier())), THREE),
    "features": (
        make_pipeline(NetworkFeatures(classifier()), LogisticRegression()),
        THREE,
    ),
}


@pytest.mark.parametrize("name", NESTINGS)
def test_everything_around_a_network_gives_the_same_bits_without_naming_a_type(
    name, tmp_path
):
    model, y = NESTINGS[name]
    model = fitted(clone(model), ROWS, y)
    assert_same(through_file(model, tmp_path), model, ROWS)


def test_a_frozen_network_gives_the_same_bits(tmp_path):
    frozen = FrozenEstimator(fitted(classifier(), ROWS, THREE))
    assert_same(through_file(frozen, tmp_path), frozen, ROWS)


def test_a_reader_of_onnx_files_gives_the_same_bits(tmp_path):
    model = fitted(classifier(), ROWS, THREE)
    reader = OnnxClassifier(to_onnx(model, ROWS).to_bytes())
    assert_same(through_file(reader, tmp_path), reader, ROWS)


@pytest.mark.parametrize("kind", [str, Path, Checkpoint])
def test_a_checkpoint_is_a_parameter_like_others(kind, tmp_path):
    network = MLPClassifier(
        max_epochs=1, random_state=0, checkpoint=kind(tmp_path / "c")
    )
    save(network.fit(ROWS, TWO), tmp_path / "model")
    loaded = load(tmp_path / "model").checkpoint
    assert make_checkpoint("", loaded).path == tmp_path / "c"


def test_a_loaded_network_goes_on_training_as_the_saved_one(tmp_path):
    model = classifier().partial_fit(ROWS, THREE)
    loaded = through_file(model, tmp_path)
    for network in (model, loaded):
        network.partial_fit(ROWS, THREE)
    assert_same(loaded, model, ROWS)


def test_a_network_is_found_again_in_its_history(tmp_path):
    model = fitted(classifier(early_stopping=True), ROWS, THREE)
    loaded = through_file(model, tmp_path)
    pd.testing.assert_frame_equal(loaded.history_, model.history_)
    assert loaded.get_params() == model.get_params()


def test_one_model_is_the_same_archive_every_time():
    model = fitted(make_pipeline(StandardScaler(), classifier()), ROWS, THREE)
    assert dump(model) == dump(model) == dump(copy.deepcopy(model))


ELSEWHERE = """
import sys
import numpy as np
import torch
from sklearn_deep import load

torch.set_num_threads(int(sys.argv[1]))
saved = np.load(sys.argv[3])
assert (load(sys.argv[2]).predict_proba(saved["X"]) == saved["P"]).all()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "threads"), [("0", "1"), ("4294967295", "3")])
def test_another_process_hash_seed_and_thread_count_give_the_same_bits(
    seed, threads, tmp_path
):
    model = make_pipeline(StandardScaler(), RNNClassifier(4, **QUICK))
    fitted(model, ROWS, THREE)
    save(model, tmp_path / "model.skd")
    np.savez(tmp_path / "rows.npz", X=ROWS, P=model.predict_proba(ROWS))
    files = tmp_path / "model.skd", tmp_path / "rows.npz"
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, threads, *map(str, files)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )


def test_types_of_the_user_are_listed_and_have_to_be_named(tmp_path):
    model = fitted(ModuleClassifier(Net, **QUICK), ROWS, THREE)
    save(model, tmp_path / "model.skd")
    with pytest.raises(ModelFileError, match=r"trusted=\['test_common.Net'\]"):
        load(tmp_path / "model.skd")
    for trusted in ([Net], ["test_common.Net"]):
        assert_same(load(tmp_path / "model.skd", trusted=trusted), model, ROWS)


def test_a_scorer_has_to_be_named(tmp_path):
    search = GridSearchCV(classifier(), {"dropout": [0.0]}, cv=2, scoring="accuracy")
    save(fitted(search, ROWS, THREE), tmp_path / "model.skd")
    with pytest.raises(ModelFileError, match="accuracy_score") as error:
        load(tmp_path / "model.skd")
    assert "sklearn.metrics._scorer._Scorer" in str(error.value)
    names = [
        "sklearn.metrics._classification.accuracy_score",
        "sklearn.metrics._scorer._Scorer",
    ]
    loaded = load(tmp_path / "model.skd", trusted=names)
    assert loaded.score(ROWS, THREE) == search.score(ROWS, THREE)


def local():
    def inner(X):
        return X

    return inner


@pytest.mark.parametrize(
    ("func", "word"),
    [(lambda X: X, "lambda"), (local(), "inner")],
    ids=["lambda", "local"],
)
def test_what_cannot_be_loaded_is_an_error_of_save(func, word, tmp_path):
    model = fitted(make_pipeline(FunctionTransformer(func), classifier()), ROWS, THREE)
    with pytest.raises(ModelFileError, match=word):
        save(model, tmp_path / "model.skd")
    assert list(tmp_path.iterdir()) == []


def test_what_skops_refuses_is_an_error_of_save(tmp_path):
    model = fitted(classifier(), ROWS, THREE)
    model.verbose = (number for number in [1])
    with pytest.raises(ModelFileError, match="MLPClassifier holds an object"):
        save(model, tmp_path / "model.skd")


def test_a_function_runs_nothing_unless_it_is_named(tmp_path):
    model = make_pipeline(FunctionTransformer(), classifier())
    fitted(model, ROWS, THREE)[0].func = open
    save(model, tmp_path / "model.skd")
    with pytest.raises(ModelFileError, match=r"io\.open"):
        load(tmp_path / "model.skd")


def test_a_model_before_its_fit_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        save(classifier(), tmp_path / "model.skd")


def test_what_is_no_estimator_is_refused(tmp_path):
    with pytest.raises(
        TypeError, match="takes a fitted scikit-learn estimator; got dict"
    ):
        save({}, tmp_path / "model.skd")


def test_trusted_types_are_names_or_classes(tmp_path):
    save(fitted(classifier(), ROWS, THREE), tmp_path / "model.skd")
    with pytest.raises(TypeError, match="a list of names"):
        load(tmp_path / "model.skd", trusted=[3])
    with pytest.raises(TypeError, match="list of names"):
        load(tmp_path / "model.skd", trusted="my.Net")
