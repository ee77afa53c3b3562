"""One pipeline of each kind that to_onnx exports, for the page in the browser."""

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import (
    CountVectorizer,
    TfidfVectorizer,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC

from sklearn_deep import (
    CNNAutoencoder,
    CNNClassifier,
    CNNRegressor,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    MultiTask,
    NetworkFeatures,
    Pruned,
    Quantized,
    RNNClassifier,
    RNNRegressor,
    Sliced,
    TabularClassifier,
    TabularRegressor,
)

RNG = np.random.default_rng(0)
N = 90
QUICK = {"max_epochs": 3, "random_state": 0}
X = RNG.normal(size=(N, 5))
X32 = X.astype(np.float32)
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
BINARY = (X[:, 0] > 0).astype(int)
NAMES = np.array(["low", "middle", "high"])[np.digitize(X[:, 1], [-0.4, 0.4])]
TARGET = 3 * X[:, 0] + 10
SEVERAL = np.stack([X[:, 0], X[:, 1] ** 2], 1)
LABELS = np.stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 0.3], 1).astype(int)

FRAME = pd.DataFrame(
    {
        "age": RNG.integers(18, 80, N),
        "income": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(3e3, 1e3, N)),
        "town": RNG.choice(["Bonn", "Ulm", "Köln"], N),
        "sex": RNG.choice(["f", "m"], N),
        "smokes": RNG.random(N) > 0.5,
        "since": pd.Timestamp("2020-01-01")
        + pd.to_timedelta(RNG.integers(0, 900, N), "D"),
        "took": pd.to_timedelta(RNG.integers(0, 10**6, N), "ms"),
    }
)
FRAME.loc[::9, "town"] = None
PLAIN = FRAME[["age", "income", "town", "sex", "smokes"]]

IMAGES = RNG.uniform(size=(N, 8, 8)).astype(np.float32)
PIXELS = (IMAGES * 255).astype(np.uint8)
COLOURS = RNG.uniform(size=(N, 3, 8, 6)).astype(np.float32)
SERIES = RNG.normal(size=(N, 12, 2))
UNEQUAL = [RNG.normal(size=(n, 2)) for n in RNG.integers(1, 9, N)]
WORDS = np.array(
    ["a", "good", "film", "bad", "very", "plot", "not", "the", "music", "slow"]
)
TEXTS = [" ".join(RNG.choice(WORDS, RNG.integers(2, 8))) for _ in range(N)]
TOKENS = [text.split() for text in TEXTS]
CODES = [RNG.integers(0, 9, n).tolist() for n in RNG.integers(2, 8, N)]
STEPS = [np.array(["up", "down"])[(row[:, 0] > 0).astype(int)] for row in UNEQUAL]
LINES = [row[:, 0] for row in UNEQUAL]
TASKS = pd.DataFrame(
    {"rich": np.where(X[:, 0] > 0, "yes", "no"), "hours": 40 + 10 * X[:, 2]}
)


def mlp(**changed):
    return MLPClassifier((12, 8), **{**QUICK, **changed})


def regressor(**changed):
    return MLPRegressor((12, 8), **{**QUICK, **changed})


def rnn(**changed):
    return RNNClassifier(**{"hidden_size": 4, **QUICK, **changed})


def columns(*more):
    return make_column_transformer(
        (
            make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
            ["income"],
        ),
        (StandardScaler(), ["age"]),
        (OneHotEncoder(handle_unknown="ignore"), ["town"]),
        (OrdinalEncoder(), ["sex"]),
        ("passthrough", ["smokes"]),
        *more,
    )


def forest():
    return RandomForestClassifier(8, max_depth=4, random_state=0)


def words():
    return CountVectorizer(ngram_range=(1, 2))


# Name: fitted model, and rows.
PIPELINES = {
    "two classes": lambda: (mlp().fit(X, BINARY), X),
    "float32": lambda: (mlp().fit(X32, NAMES), X32),
    "classes 1 and 2": lambda: (mlp().fit(X, BINARY + 1), X),
    "booleans as classes": lambda: (mlp().fit(X, BINARY == 1), X),
    "integers": lambda: (mlp().fit((9 * X).astype(int), NAMES), (9 * X).astype(int)),
    "several labels": lambda: (mlp().fit(X, LABELS), X),
    "scaler": lambda: (make_pipeline(StandardScaler(), mlp()).fit(X, NAMES), X),
    "missing numbers": lambda: (
        make_pipeline(SimpleImputer(add_indicator=True), mlp()).fit(HOLES, NAMES),
        HOLES,
    ),
    "union": lambda: (
        make_pipeline(make_union(PCA(2), RobustScaler()), mlp()).fit(X, NAMES),
        X,
    ),
    "bins": lambda: (
        make_pipeline(
            KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"), mlp()
        ).fit(X, NAMES),
        X,
    ),
    "power": lambda: (make_pipeline(PowerTransformer(), mlp()).fit(X, NAMES), X),
    "quantiles of columns": lambda: (
        make_pipeline(QuantileTransformer(n_quantiles=20), mlp()).fit(X, NAMES),
        X,
    ),
    "polynomials": lambda: (
        make_pipeline(PolynomialFeatures(2), StandardScaler(), mlp()).fit(X, NAMES),
        X,
    ),
    "frame": lambda: (make_pipeline(columns(), mlp()).fit(PLAIN, NAMES), PLAIN),
    "target encoder": lambda: (
        make_pipeline(
            make_column_transformer((TargetEncoder(random_state=0), ["town", "sex"])),
            mlp(),
        ).fit(PLAIN, BINARY),
        PLAIN,
    ),
    "tabular": lambda: (TabularClassifier(**QUICK).fit(FRAME, NAMES), FRAME),
    "tabular regression": lambda: (TabularRegressor(**QUICK).fit(FRAME, TARGET), FRAME),
    "regression": lambda: (regressor().fit(X, TARGET), X),
    "several targets": lambda: (regressor().fit(X, SEVERAL), X),
    "gaussian": lambda: (regressor(loss="gaussian").fit(X, TARGET), X),
    "quantiles": lambda: (
        regressor(loss="quantile", loss_params={"quantile": [0.1, 0.5, 0.9]}).fit(
            X, TARGET
        ),
        X,
    ),
    "voting": lambda: (
        VotingClassifier([("a", mlp()), ("b", forest())], voting="soft").fit(X, NAMES),
        X,
    ),
    "voting of regressors": lambda: (
        VotingRegressor(
            [("a", regressor()), ("b", GradientBoostingRegressor(n_estimators=5))]
        ).fit(X, TARGET),
        X,
    ),
    "stacking": lambda: (
        StackingClassifier(
            [("a", mlp()), ("b", KNeighborsClassifier(3))], LogisticRegression(), cv=2
        ).fit(X, NAMES),
        X,
    ),
    "bagging": lambda: (BaggingClassifier(mlp(), 3, random_state=0).fit(X, NAMES), X),
    "histogram boosting": lambda: (
        make_pipeline(
            HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5)
        ).fit(HOLES, NAMES),
        HOLES,
    ),
    "calibrated": lambda: (CalibratedClassifierCV(mlp(), cv=2).fit(X, BINARY), X),
    "one against the rest": lambda: (OneVsRestClassifier(mlp()).fit(X, NAMES), X),
    "threshold": lambda: (TunedThresholdClassifierCV(mlp(), cv=2).fit(X, BINARY), X),
    "scores only": lambda: (
        make_pipeline(NetworkFeatures(mlp()), RidgeClassifier()).fit(X, NAMES),
        X,
    ),
    "support vectors": lambda: (
        make_pipeline(StandardScaler(), SVC()).fit(X, NAMES),
        X,
    ),
    "search": lambda: (
        GridSearchCV(make_pipeline(StandardScaler(), mlp()), {}, cv=2).fit(X, NAMES),
        X,
    ),
    "pruned": lambda: (Pruned(mlp(), amount=0.5).fit(X, NAMES), X),
    "quantized": lambda: (Quantized(mlp()).fit(X, NAMES), X),
    "sliced": lambda: (Sliced(mlp(), fine_tune_epochs=1).fit(X, NAMES), X),
    "quantized and sliced": lambda: (
        make_pipeline(
            StandardScaler(), Quantized(Sliced(mlp(), fine_tune_epochs=1))
        ).fit(X, NAMES),
        X,
    ),
    "quantized images": lambda: (
        Quantized(CNNClassifier((3,), **QUICK)).fit(IMAGES, NAMES),
        IMAGES,
    ),
    "quantized series": lambda: (Quantized(rnn()).fit(SERIES, NAMES), SERIES),
    "images": lambda: (CNNClassifier((3, 4), **QUICK).fit(IMAGES, NAMES), IMAGES),
    "pixels": lambda: (CNNClassifier((3,), **QUICK).fit(PIXELS, NAMES), PIXELS),
    "colours": lambda: (
        CNNClassifier((3,), channels="first", **QUICK).fit(COLOURS, NAMES),
        COLOURS,
    ),
    "flat images": lambda: (
        make_pipeline(
            StandardScaler(), CNNClassifier((3,), input_shape=(8, 8), **QUICK)
        ).fit(IMAGES.reshape(N, -1), NAMES),
        IMAGES.reshape(N, -1),
    ),
    "regression of images": lambda: (
        CNNRegressor((3,), **QUICK).fit(IMAGES, TARGET),
        IMAGES,
    ),
    "convolutions of series": lambda: (
        CNNClassifier((3,), spatial_dims=1, **QUICK).fit(SERIES, NAMES),
        SERIES,
    ),
    "series": lambda: (rnn().fit(SERIES, NAMES), SERIES),
    "channels first": lambda: (
        rnn(channels="first", cell="gru").fit(SERIES.transpose(0, 2, 1), NAMES),
        SERIES.transpose(0, 2, 1),
    ),
    "unequal series": lambda: (rnn(bidirectional=True).fit(UNEQUAL, NAMES), UNEQUAL),
    "regression of series": lambda: (
        RNNRegressor(hidden_size=4, **QUICK).fit(UNEQUAL, TARGET),
        UNEQUAL,
    ),
    "labels of steps": lambda: (
        rnn(return_sequences=True).fit(UNEQUAL, STEPS),
        UNEQUAL,
    ),
    "numbers of steps": lambda: (
        RNNRegressor(hidden_size=4, return_sequences=True, **QUICK).fit(UNEQUAL, LINES),
        UNEQUAL,
    ),
    "texts": lambda: (rnn().fit(TEXTS, NAMES), TEXTS),
    "characters": lambda: (rnn(analyzer="char").fit(TEXTS, BINARY), TEXTS),
    "tokens": lambda: (rnn().fit(TOKENS, NAMES), TOKENS),
    "integer tokens": lambda: (rnn(tokens=True).fit(CODES, NAMES), CODES),
    "documents": lambda: (
        make_pipeline(TfidfVectorizer(), mlp()).fit(TEXTS, NAMES),
        TEXTS,
    ),
    "pairs of words": lambda: (make_pipeline(words(), mlp()).fit(TEXTS, NAMES), TEXTS),
    "text in a frame": lambda: (
        make_pipeline(columns((TfidfVectorizer(), "text")), mlp()).fit(
            PLAIN.assign(text=TEXTS), NAMES
        ),
        PLAIN.assign(text=TEXTS),
    ),
    "autoencoder": lambda: (MLPAutoencoder((4,), **QUICK).fit(X), X),
    "autoencoder of images": lambda: (
        CNNAutoencoder((3,), **QUICK).fit(IMAGES),
        IMAGES,
    ),
    "features": lambda: (
        make_pipeline(NetworkFeatures(mlp()), Ridge()).fit(X, BINARY),
        X,
    ),
    "clusters": lambda: (
        make_pipeline(StandardScaler(), KMeans(3, random_state=0)).fit(X),
        X,
    ),
    "several tasks": lambda: (MultiTask(MLPRegressor((8,), **QUICK)).fit(X, TASKS), X),
}
