"""Complete pipelines on real data: fitted on one half, compared on the other half.

Those that do not come with scikit-learn lie in the folder that SKLEARN_DEEP_DATA names,
or beside the project; without them their tests are skipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_selector,
)
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from sklearn_deep import MLPClassifier, MLPRegressor, to_onnx

BESIDE = Path(__file__).parents[3] / "shared" / "data"
FOLDER = Path(os.environ.get("SKLEARN_DEEP_DATA", BESIDE))


def network(**changes):
    return MLPClassifier((16, 8), **{"max_epochs": 3, "random_state": 0, **changes})


def regressor(**changes):
    return MLPRegressor((16, 8), **{"max_epochs": 3, "random_state": 0, **changes})


def load(name, most=4000):
    """Columns and targets of a dataset, shuffled."""
    if not (FOLDER / name / "meta.json").is_file():
        pytest.skip(f"there is no {name} in {FOLDER.name}")
    meta = json.loads((FOLDER / name / "meta.json").read_text())
    files = sorted((FOLDER / name).glob("*.csv.gz"))
    frame = pd.concat([pd.read_csv(file) for file in files])
    frame = frame.sample(frac=1, random_state=0).reset_index(drop=True)[:most]
    frame = frame.drop(columns=meta.get("ignore", []))
    target = meta["target"]
    rows = frame.drop(columns=target)
    categorical = [name for name in meta["categorical"] if name in rows]
    return rows, frame[target], categorical


def assert_other_half_agrees(model, X, y, same, tolerance=1e-5):
    half = len(X) // 2
    y = np.asarray(y)
    model.fit(X[:half], y[:half])
    export = to_onnx(model, X[:half], tolerance=tolerance)
    same(model, export, X[half:], tolerance)
    return export


def numeric():
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler())


def one_hot(**options):
    options.setdefault("handle_unknown", "ignore")
    return OneHotEncoder(**options)


def by_kind(categorical, encoder, numbers=None):
    return ColumnTransformer(
        [("c", encoder, categorical)],
        remainder=numeric() if numbers is None else numbers,
    )


def ordinal():
    return OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )


# Datasets of the project


ENCODERS = {
    "one-hot": one_hot,
    "one-hot, infrequent": lambda: one_hot(
        handle_unknown="infrequent_if_exist", min_frequency=0.02
    ),
    "one-hot, filled": lambda: make_pipeline(
        SimpleImputer(strategy="most_frequent"), one_hot(drop="if_binary")
    ),
    "ordinal": ordinal,
    "ordinal, scaled": lambda: make_pipeline(ordinal(), MinMaxScaler()),
    "target": TargetEncoder,
}


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("name", ENCODERS)
def test_adult_agrees_for_every_encoder(name, same):
    X, y, categorical = load("adult")
    model = make_pipeline(by_kind(categorical, ENCODERS[name]()), network())
    assert_other_half_agrees(model, X, y, same)


@pytest.mark.parametrize("numbers", ["bins", "quantiles", "power", "mixed"])
def test_adult_agrees_for_other_preparations_of_numbers(numbers, same):
    X, y, categorical = load("adult")
    steps = {
        "bins": KBinsDiscretizer(8, strategy="uniform", encode="onehot-dense"),
        "quantiles": QuantileTransformer(n_quantiles=100, output_distribution="normal"),
        "power": PowerTransformer(),
        "mixed": FeatureUnion(
            [("r", RobustScaler()), ("q", QuantileTransformer(n_quantiles=50))]
        ),
    }
    model = make_pipeline(by_kind(categorical, one_hot(), steps[numbers]), network())
    assert_other_half_agrees(model, X, y, same)


def test_adult_agrees_for_a_calibrated_search_at_a_threshold(same):
    X, y, categorical = load("adult", most=2000)
    inner = make_pipeline(by_kind(categorical, one_hot()), network())
    search = GridSearchCV(inner, {"mlpclassifier__dropout": [0.0, 0.2]}, cv=2)
    model = FixedThresholdClassifier(
        CalibratedClassifierCV(search, cv=2), threshold=0.4, pos_label=">50K"
    )
    assert_other_half_agrees(model, X, y, same)


BARE = """
import sys
from importlib.abc import MetaPathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from re import match
there, waiting = {"sklearn-deep"}, ["numpy", "scikit-learn", "onnxruntime"]
while waiting:
    name = waiting.pop()
    if name not in there:
        try:
            needs = [need for need in requires(name) or () if "extra ==" not in need]
        except PackageNotFoundError:  # needed on other systems only
            continue
        there.add(name)
        waiting += [match(r"[\\w.-]+", need)[0].lower() for need in needs]
absent = {
    module
    for module, sources in packages_distributions().items()
    if not there & {source.lower() for source in sources}
}
assert {"torch", "skorch", "pandas", "onnx", "skl2onnx"} <= absent
class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import json
from sklearn_deep import OnnxClassifier
rows = json.loads(sys.stdin.read())
print(json.dumps(OnnxClassifier(sys.argv[1]).predict_proba(rows).tolist()))
"""


def test_adult_is_read_with_numpy_scikit_learn_and_onnxruntime_alone(tmp_path):
    X, y, categorical = load("adult")
    model = make_pipeline(by_kind(categorical, one_hot()), network())
    model.fit(X[:2000], y[:2000])
    to_onnx(model, X[:2000], tmp_path / "adult.onnx")
    fresh = X[2000:2100]
    assert fresh.isna().any().any()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BARE, str(tmp_path / "adult.onnx")],
        input=json.dumps(
            fresh.astype(object).where(fresh.notna(), None).values.tolist()
        ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        json.loads(done.stdout), model.predict_proba(fresh), atol=1e-5
    )


@pytest.mark.parametrize("dtype", ["object", "category", "string"])
def test_adult_agrees_whatever_the_dtype_of_its_strings(dtype, same):
    X, y, categorical = load("adult", most=1000)
    X[categorical] = X[categorical].fillna("?").astype(dtype)
    model = make_pipeline(by_kind(categorical, one_hot()), network())
    assert_other_half_agrees(model, X, y, same)


def titanic():
    X, y, _ = load("titanic")
    rest = ["Age", "SibSp", "Parch", "Fare"]
    columns = ColumnTransformer(
        [
            (
                "n",
                make_pipeline(SimpleImputer(add_indicator=True), RobustScaler()),
                rest,
            ),
            ("one", one_hot(), ["Pclass", "Sex", "Embarked"]),
            (
                "cabin",
                one_hot(min_frequency=2, handle_unknown="infrequent_if_exist"),
                ["Cabin"],
            ),
            ("ticket", TargetEncoder(), ["Ticket"]),
        ]
    )
    return X, y, columns


@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_titanic_agrees_with_missing_values(same, inputs):
    X, y, columns = titanic()
    export = assert_other_half_agrees(make_pipeline(columns, network()), X, y, same)
    assert "Name" not in inputs(export)
    assert inputs(export)["Age"] == "tensor(double)"
    assert inputs(export)["Cabin"] == "tensor(string)"


@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_titanic_agrees_for_votes_and_stacks(same):
    X, y, columns = titanic()
    members = [("n", network()), ("l", LogisticRegression(max_iter=1000))]
    for end in (
        VotingClassifier(members, voting="soft", weights=[2, 1]),
        StackingClassifier(members, cv=2),
        CalibratedClassifierCV(network(), method="isotonic", cv=2),
    ):
        assert_other_half_agrees(make_pipeline(columns, end), X, y, same)


@pytest.mark.parametrize("encoder", ["one-hot", "ordinal, scaled", "target"])
def test_soybean_agrees_with_nineteen_classes_and_missing_everywhere(encoder, same):
    X, y, categorical = load("soybean")
    model = make_pipeline(by_kind(categorical, ENCODERS[encoder]()), network())
    assert_other_half_agrees(model, X, y, same)


def test_soybean_agrees_one_vs_rest(same):
    X, y, categorical = load("soybean")
    common = y.isin(y.value_counts().index[:4]).to_numpy()
    model = make_pipeline(
        by_kind(categorical, one_hot()), OneVsRestClassifier(network())
    )
    assert_other_half_agrees(model, X[common], y[common], same)


@pytest.mark.parametrize("kind", ["one network", "one a label", "one against the rest"])
def test_emotions_agree_for_several_labels(kind, same):
    X, Y, _ = load("emotions")
    end = {
        "one network": network(),
        "one a label": MultiOutputClassifier(network()),
        "one against the rest": OneVsRestClassifier(network()),
    }[kind]
    assert_other_half_agrees(make_pipeline(StandardScaler(), end), X, Y, same)


@pytest.mark.parametrize(
    "kind", ["plain", "gaussian", "one a target", "transformed", "bag"]
)
def test_energy_efficiency_agrees_for_both_targets(kind, same):
    X, Y, categorical = load("energy_efficiency")
    end = {
        "plain": regressor(),
        "gaussian": regressor(loss="gaussian"),
        "one a target": MultiOutputRegressor(regressor()),
        "transformed": TransformedTargetRegressor(
            regressor(), transformer=PowerTransformer()
        ),
        "bag": BaggingRegressor(regressor(), n_estimators=3, random_state=0),
    }[kind]
    model = make_pipeline(by_kind(categorical, one_hot()), end)
    assert_other_half_agrees(model, X, Y, same)


# Datasets of scikit-learn


CLASSIFICATION = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}
PREPARED = {
    "scaled": lambda: [StandardScaler()],
    "projected": lambda: [StandardScaler(), PCA(3)],
    "chosen": lambda: [MinMaxScaler(), VarianceThreshold(1e-3), SelectKBest(k=4)],
    "quantiles": lambda: [QuantileTransformer(n_quantiles=30)],
    "powers": lambda: [StandardScaler(), PowerTransformer()],
    "products": lambda: [MinMaxScaler(), SelectKBest(k=4), PolynomialFeatures(2)],
}


def shuffled(loader, **options):
    X, y = loader(return_X_y=True, **options)
    order = np.random.default_rng(0).permutation(len(X))
    return (X.iloc[order], y.iloc[order]) if options else (X[order], y[order])


@pytest.mark.filterwarnings("ignore:Features .* are constant")
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
@pytest.mark.parametrize("prepared", PREPARED)
@pytest.mark.parametrize("name", CLASSIFICATION)
def test_sets_of_scikit_learn_agree(name, prepared, same):
    X, y = shuffled(CLASSIFICATION[name])
    model = make_pipeline(*PREPARED[prepared](), network())
    assert_other_half_agrees(model, X, y, same)


@pytest.mark.parametrize("name", ["iris", "wine", "breast cancer"])
def test_frames_of_scikit_learn_agree(name, same, inputs):
    X, y = shuffled(CLASSIFICATION[name], as_frame=True)
    columns = ColumnTransformer(
        [("n", RobustScaler(), make_column_selector(pattern="a"))], remainder="drop"
    )
    model = make_pipeline(columns, network())
    export = assert_other_half_agrees(model, X, y, same)
    assert list(inputs(export)) == [name for name in X.columns if "a" in name]


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_float32_rows_of_scikit_learn_agree(name, same):
    X, y = shuffled(CLASSIFICATION[name])
    model = make_pipeline(MinMaxScaler(), network())
    assert_other_half_agrees(model, X.astype(np.float32), y, same)


@pytest.mark.parametrize("loss", ["squared_error", "gaussian", "poisson", "huber"])
@pytest.mark.parametrize("as_frame", [True, False])
def test_diabetes_agrees_for_every_loss(as_frame, loss, same):
    X, y = shuffled(load_diabetes, **({"as_frame": True} if as_frame else {}))
    model = make_pipeline(StandardScaler(), regressor(loss=loss))
    assert_other_half_agrees(model, X, y, same)


def test_diabetes_agrees_through_a_function_of_the_target(same):
    X, y = shuffled(load_diabetes)
    for function, inverse in (
        (np.log, np.exp),
        (np.sqrt, np.square),
        (np.log1p, np.expm1),
    ):
        model = TransformedTargetRegressor(
            make_pipeline(StandardScaler(), regressor()),
            func=function,
            inverse_func=inverse,
        )
        assert_other_half_agrees(model, X, y, same)


def test_a_well_trained_network_on_iris_agrees_and_is_right(same):
    X, y = shuffled(load_iris)
    labels = load_iris().target_names[y]
    model = make_pipeline(StandardScaler(), network(max_epochs=100, learning_rate=0.01))
    assert_other_half_agrees(model, X, labels, same)
    assert model.score(X[75:], labels[75:]) > 0.9
