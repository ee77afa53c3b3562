"""Export with frames: one named input per column, of every dtype and selection."""

import datetime
import decimal

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from sklearn_deep import MLPClassifier, MLPRegressor, to_onnx
from sklearn_deep.exceptions import OnnxExportError, OnnxParityError

DOUBLE, INT, BOOL = "tensor(double)", "tensor(int64)", "tensor(bool)"
FLOAT, STRING = "tensor(float)", "tensor(string)"


def network():
    return MLPClassifier((8,), max_epochs=2, random_state=0)


def one_hot():
    return OneHotEncoder(handle_unknown="ignore")


def ordinal():
    return OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )


def scaled():
    return make_pipeline(SimpleImputer(), StandardScaler())


def people(n=60, seed=0, missing=True):
    """Rows with a column of each common type; other seeds give other rows."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "income": rng.normal(5e4, 1e4, n),
            "size": rng.normal(size=n).astype(np.float32),
            "city": rng.choice(["Bern", "Oslo", "São Paulo"], n),
            "colour": pd.Categorical(rng.choice(["red", "blue"], n)),
            "flag": rng.random(n) > 0.5,
        }
    )
    if missing:
        frame.loc[3:5, "income"] = np.nan
        frame.loc[5:9, "city"] = np.nan
    return frame


def new_rows(seed=1):
    """New rows, some with an unseen city."""
    rows = people(seed=seed)
    rows.loc[20:24, "city"] = "Quito"
    return rows


def labels(frame, n_classes=2):
    return np.arange(len(frame)) % n_classes


def fitted(*transformers, frame, **options):
    columns = ColumnTransformer(list(transformers), **options)
    return make_pipeline(columns, network()).fit(frame, labels(frame))


# Every kind of column

NUMBERS = {
    "int64": (np.int64, INT),
    "int8": (np.int8, INT),
    "uint16": (np.uint16, INT),
    "float32": (np.float32, FLOAT),
    "float64": (np.float64, DOUBLE),
    "float16": (np.float16, FLOAT),
    "Int64": ("Int64", INT),
    "Int32": ("Int32", INT),
    "Float64": ("Float64", DOUBLE),
    "Float32": ("Float32", FLOAT),
    "object": (object, DOUBLE),
}
CAN_BE_MISSING = (
    "float32",
    "float64",
    "float16",
    "Int64",
    "Int32",
    "Float64",
    "Float32",
)
TEXTS = ("str", "string", "object", "category")


def with_missing(column):
    column = column.copy()
    column.iloc[2:6] = None if column.dtype == object else pd.NA
    return column


def numbers(dtype, seed=0, high=6, missing=False):
    values = np.random.default_rng(seed).integers(0, high, 50)
    column = pd.Series(values).astype(dtype)
    return pd.DataFrame({"c": with_missing(column) if missing else column})


def texts(dtype, seed=0, high=4, missing=False):
    values = np.random.default_rng(seed).integers(0, high, 50)
    column = pd.Series(np.array(list("abcdefgh"))[values]).astype(dtype)
    return pd.DataFrame({"c": with_missing(column) if missing else column})


@pytest.mark.oldest
@pytest.mark.parametrize("encoder", [one_hot, ordinal])
@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_any_dtype_are_encoded_as_the_estimator_does(
    kind, encoder, same, inputs
):
    dtype, input_type = NUMBERS[kind]
    frame = numbers(dtype)
    model = fitted(("c", encoder(), ["c"]), frame=frame)
    export = to_onnx(model, frame)
    assert inputs(export) == {"c": input_type}
    same(model, export, frame)
    same(model, export, numbers(dtype, seed=1, high=9))


@pytest.mark.parametrize("encoder", [one_hot, ordinal])
@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_missing_numbers_are_a_separate_category(kind, encoder, same):
    frame = numbers(kind, missing=True)
    model = fitted(("c", encoder(), ["c"]), frame=frame)
    same(model, to_onnx(model, frame), numbers(kind, seed=1, high=9, missing=True))


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in NUMBERS if kind != "float16"])
def test_numbers_of_any_dtype_are_imputed_and_scaled(kind, missing, same):
    if missing and kind not in CAN_BE_MISSING:
        pytest.skip("this dtype has no missing values")
    frame = numbers(NUMBERS[kind][0], missing=missing)
    model = fitted(("c", scaled(), ["c"]), frame=frame)
    export = to_onnx(model, frame)
    same(model, export, numbers(NUMBERS[kind][0], seed=1, missing=missing))


def test_float16_rounding_of_scikit_learn_is_refused_or_tolerated(same):
    frame = numbers("float16")
    model = fitted(("c", scaled(), ["c"]), frame=frame)
    with pytest.raises(OnnxParityError, match="StandardScaler"):
        to_onnx(model, frame)
    export = to_onnx(model, frame, tolerance=1e-2)
    same(model, export, numbers("float16", seed=1), tolerance=1e-2)


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_any_dtype_reach_a_network_without_a_pipeline(kind, same):
    frame = numbers(NUMBERS[kind][0])
    model = network().fit(frame, labels(frame))
    same(model, to_onnx(model, frame), numbers(NUMBERS[kind][0], seed=1))


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("encoder", [one_hot, ordinal, TargetEncoder])
@pytest.mark.parametrize("kind", TEXTS)
def test_strings_of_any_dtype_are_encoded_as_the_estimator_does(
    kind, encoder, missing, same, inputs
):
    if missing and kind == "string":
        pytest.skip("encoders of scikit-learn refuse pandas.NA")
    frame = texts(kind, missing=missing)
    model = fitted(("c", encoder(), ["c"]), frame=frame)
    export = to_onnx(model, frame)
    assert inputs(export) == {"c": STRING}
    same(model, export, frame)
    same(model, export, texts(kind, seed=1, high=6, missing=missing))


@pytest.mark.parametrize("kind", TEXTS)
def test_missing_strings_are_imputed_before_an_encoder(kind, same):
    frame = texts(kind, missing=True)
    filled = SimpleImputer(
        strategy="most_frequent", missing_values=pd.NA if kind == "string" else np.nan
    )
    if frame["c"].dtype == object:  # also "str" of pandas 2
        filled.set_params(missing_values=None)
    model = fitted(("c", make_pipeline(filled, one_hot()), ["c"]), frame=frame)
    export = to_onnx(model, frame)
    same(model, export, texts(kind, seed=1, high=6, missing=True))


@pytest.mark.parametrize("values", [[1, 2, 3], [0.5, 1.5, 2.5], [False, True]])
@pytest.mark.parametrize("encoder", [one_hot, ordinal])
def test_pandas_categories_of_other_types_have_their_dtype(values, encoder, same):
    def rows(seed):
        drawn = np.random.default_rng(seed).choice(values, 40)
        return pd.DataFrame({"c": pd.Categorical(drawn)})

    model = fitted(("c", encoder(), ["c"]), frame=rows(0))
    same(model, to_onnx(model, rows(0)), rows(1))


@pytest.mark.parametrize("encoder", [one_hot, ordinal])
def test_a_category_of_integers_may_be_missing(encoder, same, inputs):
    def rows(seed):
        drawn = np.random.default_rng(seed).choice([1, 2, 3], 40)
        return pd.DataFrame({"c": with_missing(pd.Series(pd.Categorical(drawn)))})

    model = fitted(("c", encoder(), ["c"]), frame=rows(0))
    export = to_onnx(model, rows(0))
    assert inputs(export) == {"c": DOUBLE}
    same(model, export, rows(1))


@pytest.mark.parametrize("encoder", [one_hot, ordinal, "passthrough"])
@pytest.mark.parametrize("kind", [bool, "boolean", object])
def test_booleans_are_encoded_or_passed_as_numbers(kind, encoder, same, inputs):
    def rows(seed):
        drawn = np.random.default_rng(seed).random(40) > 0.5
        return pd.DataFrame({"c": pd.Series(drawn).astype(kind), "x": np.arange(40.0)})

    step = encoder if isinstance(encoder, str) else encoder()
    model = fitted(("c", step, ["c"]), ("x", StandardScaler(), ["x"]), frame=rows(0))
    export = to_onnx(model, rows(0))
    assert inputs(export)["c"] == BOOL
    same(model, export, rows(1))


def test_a_nullable_boolean_with_missing_values_is_imputed_as_a_number(same, inputs):
    def rows(seed):
        drawn = np.random.default_rng(seed).random(40) > 0.5
        return pd.DataFrame({"c": with_missing(pd.Series(drawn).astype("boolean"))})

    imputed = SimpleImputer(strategy="most_frequent")
    to_float = FunctionTransformer(None)
    model = fitted(("c", make_pipeline(imputed, to_float), ["c"]), frame=rows(0))
    export = to_onnx(model, rows(0))
    assert inputs(export) == {"c": DOUBLE}
    same(model, export, rows(1))


def test_a_column_without_values_is_numeric(same, inputs):
    frame = people().assign(nothing=np.nan)
    model = fitted(
        (
            "n",
            make_pipeline(SimpleImputer(keep_empty_features=True)),
            ["nothing", "size"],
        ),
        frame=frame,
    )
    export = to_onnx(model, frame)
    assert inputs(export) == {"nothing": DOUBLE, "size": FLOAT}
    same(model, export, frame[30:])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.date_range("2020-01-01", periods=60), "datetime64"),
        (pd.Series(pd.date_range("2020-01-01", periods=60, tz="UTC")), "Timestamp"),
        (pd.timedelta_range("1h", periods=60), "timedelta64"),
        (pd.period_range("2020-01", periods=60, freq="M"), "Period"),
        ([1, "one"] * 30, "int, str"),
        ([True, "yes"] * 30, "bool, str"),
        ([[1, 2]] * 60, "list"),
        ([1j] * 60, "complex128"),
        ([b"bytes"] * 60, "bytes"),
        ([datetime.date(2020, 1, 1)] * 60, "date"),
        ([decimal.Decimal(1)] * 60, "Decimal"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_the_error_names_a_column_that_no_onnx_input_can_hold(values, kind):
    frame = people().assign(when=0)
    model = fitted(("n", scaled(), ["age", "when"]), frame=frame)
    with pytest.raises(OnnxExportError, match=f"Column 'when' contains .*{kind}"):
        to_onnx(model, frame.assign(when=values))


@pytest.mark.parametrize("dtype", [object, "str", "category", "string"])
def test_strings_that_are_not_encoded_are_refused(dtype):
    frame = people(missing=False)[["age", "city"]].astype({"city": dtype})
    model = network().fit(frame.assign(city=1.0), labels(frame))
    with pytest.raises(OnnxExportError, match="string"):
        to_onnx(model, frame)


# Every way to choose columns

CHOICES = {
    "names": (["age", "size"], {"age", "size"}),
    "index": (pd.Index(["size", "age"]), {"age", "size"}),
    "array of names": (np.array(["size", "age"]), {"age", "size"}),
    "places": ([0, 2], {"age", "size"}),
    "array of places": (np.array([2, 0]), {"age", "size"}),
    "places from the end": ([-4, -6], {"age", "size"}),
    "slice": (slice(0, 3), {"age", "income", "size"}),
    "slice of step 2": (slice(0, 4, 2), {"age", "size"}),
    "slice backwards": (slice(2, None, -1), {"age", "income", "size"}),
    "slice from the end": (slice(-6, -3), {"age", "income", "size"}),
    "slice of names": (slice("age", "income"), {"age", "income"}),
    "open slice of names": (slice(None, "size"), {"age", "income", "size"}),
    "mask": ([True, False, True, False, False, False], {"age", "size"}),
    "array mask": (np.array([True, True] + [False] * 4), {"age", "income"}),
    "callable": (lambda frame: ["size", "income"], {"income", "size"}),
    "callable mask": (
        lambda frame: [name in ("age", "income") for name in frame.columns],
        {"age", "income"},
    ),
    "selector of dtypes": (
        make_column_selector(dtype_include=np.number),
        {"age", "income", "size"},
    ),
    "selector of names": (make_column_selector(pattern="^[ai]"), {"age", "income"}),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_column_selection_agrees_with_scikit_learn(choice, same, inputs):
    columns, used = CHOICES[choice]
    frame = people()
    model = fitted(("n", scaled(), columns), frame=frame)
    export = to_onnx(model, frame)
    assert set(inputs(export)) == used
    same(model, export, new_rows())


@pytest.mark.parametrize("column", ["age", 0, -6])
def test_a_single_column_goes_to_a_transformer_of_series(column, same):
    frame = people()
    as_column = FunctionTransformer(np.log1p)
    # A single name selects a 1-D column, which the transformer must make 2-D.
    columns = ColumnTransformer(
        [("one", FunctionTransformer(None), [column]), ("two", as_column, ["age"])]
    )
    model = make_pipeline(columns, network()).fit(frame, labels(frame))
    same(model, to_onnx(model, frame), new_rows())


@pytest.mark.parametrize(
    "remainder",
    ["passthrough", "drop", MinMaxScaler(), scaled()],
    ids=["passthrough", "drop", "scaler", "pipeline"],
)
def test_every_remainder_agrees(remainder, same, inputs):
    frame = people()[["age", "size", "flag", "city"]]
    model = fitted(
        ("c", one_hot(), ["city"]),
        ("a", StandardScaler(), ["age"]),
        remainder=remainder,
        frame=frame,
    )
    export = to_onnx(model, frame)
    left = set() if remainder == "drop" else {"size", "flag"}
    assert set(inputs(export)) == {"age", "city"} | left
    same(model, export, new_rows()[["age", "size", "flag", "city"]])


def test_drop_and_passthrough_agree(same, inputs):
    frame = people()
    model = fitted(
        ("n", StandardScaler(), ["age"]),
        ("gone", "drop", ["income", "city"]),
        ("raw", "passthrough", ["size", "flag"]),
        frame=frame,
    )
    export = to_onnx(model, frame)
    assert inputs(export) == {"age": INT, "size": FLOAT, "flag": BOOL}
    same(model, export, new_rows())


@pytest.mark.parametrize("nothing", [[], slice(0, 0), [False] * 6])
def test_a_transformer_of_no_columns_outputs_none(nothing, same):
    frame = people()
    model = fitted(
        ("n", StandardScaler(), ["age"]), ("e", one_hot(), nothing), frame=frame
    )
    same(model, to_onnx(model, frame), new_rows())


@pytest.mark.parametrize(
    "options",
    [
        {"transformer_weights": {"n": 0.25, "c": 3.0}},
        {"transformer_weights": {"c": -2}},
        {"sparse_threshold": 0.0},
        {"sparse_threshold": 1.0},
        {"verbose_feature_names_out": False},
    ],
    ids=str,
)
def test_options_of_a_column_transformer_are_kept(options, same):
    frame = people()
    numeric = ("n", scaled(), ["age", "income"])
    model = fitted(numeric, ("c", one_hot(), ["city"]), frame=frame, **options)
    same(model, to_onnx(model, frame), new_rows())


@pytest.mark.parametrize("sparse", [True, False])
def test_sparse_and_dense_encoders_give_the_same_columns(sparse, same):
    frame = people()
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=sparse)
    model = fitted(("c", encoder, ["city", "colour"]), frame=frame)
    same(model, to_onnx(model, frame), new_rows())


def test_set_output_lets_later_steps_choose_by_the_new_names(same):
    frame = people()
    first = ColumnTransformer(
        [("n", scaled(), ["age", "income"]), ("c", ordinal(), ["city"])]
    ).set_output(transform="pandas")
    second = ColumnTransformer(
        [("again", MinMaxScaler(), ["n__income"]), ("one", one_hot(), ["c__city"])],
        remainder="passthrough",
    )
    model = make_pipeline(first, second, network()).fit(frame, labels(frame))
    same(model, to_onnx(model, frame), new_rows())


def test_a_pipeline_in_a_column_transformer_in_a_pipeline_is_followed(same):
    frame = people()
    inner = ColumnTransformer(
        [("s", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1])],
        remainder="passthrough",
    )
    outer = ColumnTransformer(
        [
            ("n", Pipeline([("inner", inner), ("end", MinMaxScaler())]), slice(0, 3)),
            ("c", Pipeline([("skip", "passthrough"), ("e", one_hot())]), ["city"]),
        ]
    )
    nested = make_pipeline(make_pipeline(outer), None, network())
    model = nested.fit(frame, labels(frame))
    same(model, to_onnx(model, frame), new_rows())


def test_a_column_transformer_after_a_scaler_uses_indices(same):
    frame = people()[["age", "income", "size"]]
    columns = ColumnTransformer([("a", MinMaxScaler(), [2])], remainder="passthrough")
    model = make_pipeline(SimpleImputer(), StandardScaler(), columns, network())
    model.fit(frame, labels(frame))
    same(model, to_onnx(model, frame), new_rows()[["age", "income", "size"]])


def test_a_feature_union_of_column_transformers_joins_them(same):
    frame = people()
    union = FeatureUnion(
        [
            ("n", ColumnTransformer([("s", scaled(), ["age", "income"])])),
            ("c", ColumnTransformer([("e", one_hot(), ["city"])])),
            ("gone", "drop"),
        ],
        transformer_weights={"n": 0.5},
    )
    model = make_pipeline(union, network()).fit(frame, labels(frame))
    same(model, to_onnx(model, frame), new_rows())


def test_a_feature_union_may_pass_columns_through(same):
    frame = people()[["age", "size"]]
    union = FeatureUnion([("raw", "passthrough"), ("s", StandardScaler())])
    model = make_pipeline(StandardScaler(), union, network()).fit(frame, labels(frame))
    same(model, to_onnx(model, frame), new_rows()[["age", "size"]])


def test_a_regressor_behind_a_column_transformer_agrees(same):
    frame = people()
    columns = ColumnTransformer([("n", scaled(), ["age"]), ("c", one_hot(), ["city"])])
    for loss in ("squared_error", "gaussian"):
        network = MLPRegressor((8,), loss=loss, max_epochs=2, random_state=0)
        model = make_pipeline(columns, network).fit(frame, frame["size"] * 40 + 7)
        same(model, to_onnx(model, frame), new_rows())


# Names and order


def test_columns_may_have_another_order_than_in_the_fit(same):
    frame = people()
    model = fitted(
        ("n", scaled(), ["age", "income"]), ("c", one_hot(), ["city"]), frame=frame
    )
    shuffled = frame[["city", "flag", "income", "age", "colour", "size"]]
    export = to_onnx(model, shuffled)
    same(model, export, new_rows())
    assert to_onnx(model, frame).to_bytes() == export.to_bytes()


def test_columns_missing_in_the_fit_are_ignored(same, inputs):
    frame = people()
    model = fitted(("n", scaled(), ["age", "income"]), frame=frame)
    export = to_onnx(model, frame.assign(when=pd.Timestamp("2020-01-01")))
    assert set(inputs(export)) == {"age", "income"}
    same(model, export, new_rows())


def test_a_network_without_a_pipeline_reads_columns(same, inputs):
    frame = people(missing=False)[["size", "age", "flag"]]
    model = network().fit(frame, labels(frame))
    export = to_onnx(model, frame)
    assert list(inputs(export)) == ["size", "age", "flag"]
    same(model, export, people(seed=1, missing=False)[["size", "age", "flag"]])


NAMES = [
    "label",
    "probabilities",
    "variable",
    "std",
    "X",
    "input_0",
    "input_1",
    "output_label",
    "two words",
    "single ' quote",
    'double " quote',
    "back \\ slash",
    "new\nline",
    "größe",
    "年齢",
    "🙂",
    "a/b",
    "deep/1",
    "deep",
    "0",
    " ",
]


@pytest.mark.parametrize("name", NAMES)
def test_an_input_has_the_name_of_its_column(name, same):
    frame = people(missing=False)[["age", "city"]].rename(columns={"city": name})
    rows = new_rows()[["age", "city"]].rename(columns={"city": name})
    model = fitted(("n", scaled(), ["age"]), ("c", one_hot(), [name]), frame=frame)
    export = to_onnx(model, frame)
    assert [info.name for info in export.model.graph.input] == ["age", name]
    same(model, export, rows)


@pytest.mark.parametrize("name", ["variable", "std", "output_variable"])
def test_an_output_is_renamed_if_a_column_has_its_name(name, same):
    frame = people(missing=False)[["age", "size"]].rename(columns={"size": name})
    network = MLPRegressor((8,), loss="gaussian", max_epochs=2, random_state=0)
    model = make_pipeline(StandardScaler(), network).fit(frame, frame["age"])
    export = to_onnx(model, frame)
    names = [v.name for v in (*export.model.graph.input, *export.model.graph.output)]
    assert names[1] == name
    assert len(set(names)) == 4
    same(model, export, frame[:7])


def test_a_column_without_a_name_is_named_by_its_index(inputs):
    frame = people(missing=False)[["age", "size"]].rename(columns={"size": ""})
    model = make_pipeline(StandardScaler(), network()).fit(frame, labels(frame))
    assert list(inputs(to_onnx(model, frame))) == ["age", "x1"]


def test_columns_with_all_unusual_names_agree(same):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, len(NAMES))), columns=NAMES)
    model = make_pipeline(StandardScaler(), network()).fit(frame, labels(frame))
    export = to_onnx(model, frame)
    assert [info.name for info in export.model.graph.input] == NAMES
    same(model, export, frame * 1.5)


def test_a_network_on_columns_with_unusual_names_agrees(same):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, len(NAMES))), columns=NAMES)
    model = network().fit(frame, labels(frame))
    same(model, to_onnx(model, frame), frame * 1.5)


def test_columns_named_by_integers_are_inputs_named_by_their_digits(same, inputs):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)), columns=[10, 20, 30])
    model = make_pipeline(StandardScaler(), network()).fit(frame, labels(frame))
    export = to_onnx(model, frame)
    assert list(inputs(export)) == ["10", "20", "30"]
    same(model, export, frame * 2)


def test_a_column_transformer_uses_indices_of_columns_named_by_integers(same):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)), columns=[10, 20, 30])
    model = fitted(
        ("a", StandardScaler(), [0, 2]), remainder=MinMaxScaler(), frame=frame
    )
    same(model, to_onnx(model, frame), frame * 2)


def test_the_error_names_duplicate_columns():
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = make_pipeline(StandardScaler(), network()).fit(X, labels(X))
    with pytest.raises(OnnxExportError, match=r"duplicate column names \['a'\]"):
        to_onnx(model, pd.DataFrame(X, columns=["a", "b", "a"]))


def test_a_column_may_be_used_twice(same, inputs):
    frame = people()
    model = fitted(
        ("n", scaled(), ["age"]), ("m", MinMaxScaler(), ["age"]), frame=frame
    )
    export = to_onnx(model, frame)
    assert inputs(export) == {"age": INT}
    same(model, export, new_rows())
    X = frame[["age", "income"]].to_numpy()
    model = fitted(("n", scaled(), [0, 0, 1]), frame=X)
    same(model, to_onnx(model, X), new_rows()[["age", "income"]].to_numpy())


def test_each_input_is_one_column_of_any_number_of_rows():
    frame = people()
    model = fitted(
        ("n", scaled(), ["age", "income"]), ("c", one_hot(), ["city"]), frame=frame
    )
    for info in to_onnx(model, frame).model.graph.input:
        rows, columns = info.type.tensor_type.shape.dim
        assert not rows.HasField("dim_value")
        assert columns.dim_value == 1


def test_an_array_is_one_input_with_all_columns(inputs):
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = make_pipeline(StandardScaler(), network()).fit(X, labels(X))
    export = to_onnx(model, X)
    assert inputs(export) == {"X": DOUBLE}
    (info,) = export.model.graph.input
    assert info.type.tensor_type.shape.dim[1].dim_value == 3


def test_unread_columns_may_contain_strings(inputs):
    frame = people()
    model = fitted(("n", scaled(), ["age"]), frame=frame)
    assert inputs(to_onnx(model, frame)) == {"age": INT}


def test_the_index_of_a_frame_does_not_matter(same):
    frame = people()
    model = fitted(
        ("n", scaled(), ["age", "income"]), ("c", one_hot(), ["city"]), frame=frame
    )
    again = frame.set_index(pd.Index([7] * len(frame)))
    assert to_onnx(model, again).to_bytes() == to_onnx(model, frame).to_bytes()


def test_the_model_is_valid_onnx():
    frame = people()
    model = fitted(
        ("n", scaled(), ["age", "income"]), ("c", one_hot(), ["city"]), frame=frame
    )
    onnx.checker.check_model(to_onnx(model, frame).model, full_check=True)


def test_none_and_nan_in_one_column_are_refused():
    values = [None, "a", np.nan, "b"] * 10
    frame = pd.DataFrame({"c": pd.Series(values, dtype=object)})
    model = fitted(("c", one_hot(), ["c"]), frame=frame)
    with pytest.raises(OnnxExportError, match="missing value"):
        to_onnx(model, frame)


# Polars


def polar(seed=0, n=40):
    rng = np.random.default_rng(seed)
    cities = [
        None if i % 9 == 4 else c for i, c in enumerate(rng.choice(["a", "b"], n))
    ]
    return pl.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "income": [
                None if i % 7 == 3 else v for i, v in enumerate(rng.normal(size=n))
            ],
            "size": rng.normal(size=n).astype(np.float32),
            "city": cities,
            "flag": rng.random(n) > 0.5,
        }
    )


def test_polars_frames_agree_with_pandas_frames(same, inputs):
    frame = polar()
    model = fitted(
        ("n", scaled(), ["age", "income", "size"]),
        ("c", one_hot(), ["city", "flag"]),
        frame=frame,
    )
    export = to_onnx(model, frame)
    assert inputs(export) == {
        "age": INT,
        "income": DOUBLE,
        "size": FLOAT,
        "city": STRING,
        "flag": BOOL,
    }
    same(model, export, polar(1))


def test_polars_categories_and_enums_are_strings(same, inputs):
    def rows(seed):
        drawn = np.random.default_rng(seed).choice(["a", "b"], 40)
        return pl.DataFrame({"c": drawn, "e": drawn[::-1]}).cast(
            {"c": pl.Categorical, "e": pl.Enum(["b", "a"])}
        )

    model = fitted(("c", one_hot(), ["c", "e"]), frame=rows(0))
    export = to_onnx(model, rows(0))
    assert inputs(export) == {"c": STRING, "e": STRING}
    same(model, export, rows(1))


def test_polars_columns_may_have_another_order(same):
    frame = polar()
    model = fitted(
        ("n", scaled(), ["age", "income"]), ("c", one_hot(), ["city"]), frame=frame
    )
    shuffled = frame.select("flag", "city", "size", "income", "age")
    assert to_onnx(model, shuffled).to_bytes() == to_onnx(model, frame).to_bytes()
    same(model, to_onnx(model, shuffled), polar(1))


def test_a_model_of_pandas_rows_is_exported_with_polars_rows_too(same):
    frame = polar().drop("income", "city")
    pandas = pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns})
    model = fitted(("n", StandardScaler(), ["age", "size"]), frame=pandas)
    assert to_onnx(model, frame).to_bytes() == to_onnx(model, pandas).to_bytes()


def test_the_error_names_a_polars_column_of_dates():
    frame = polar()
    model = fitted(("n", scaled(), ["age", "flag"]), frame=frame)
    dated = frame.with_columns(flag=pl.lit(datetime.date(2020, 1, 1)))
    with pytest.raises(OnnxExportError, match="Column 'flag' contains"):
        to_onnx(model, dated)


def test_the_error_names_missing_polars_columns():
    model = fitted(("n", scaled(), ["age"]), frame=polar())
    with pytest.raises(OnnxExportError, match=r"lacks the columns \['age', 'city'\]"):
        to_onnx(model, polar().drop("age", "city"))
