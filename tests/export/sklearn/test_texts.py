"""Export of text vectorisers: the file agrees with scikit-learn without a locale.

Expected values are what scikit-learn's vectorisers give.
"""

import os
import random
import subprocess
import sys

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier, OnnxClassifier, OnnxTransformer, to_onnx
from sklearn_deep.exceptions import OnnxExportError

pytestmark = pytest.mark.oldest

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Ein Käfer läuft über die Straße",
    "fox and dog are friends, fox!",
    "Hello, HELLO world! e-mail don't",
    "  two  spaces\n\nnew line",
    "été naïve CAFÉ",
    "x",
    "МИР и Мир",
]
LABELS = np.array(["cat", "dog"] * 4)


def net():
    return MLPClassifier((4,), max_epochs=2, random_state=0)


# Characters with case and accents, white space and punctuation.
POOLS = [
    "abcdeXYZ",
    "äöüßÉÀÑŸ",
    "αβσςΣΑΩ",
    " \t\n\u00a0\u2003  ",
    ".,'!?-_\u2019:",
    "0123\u2460\u00bd",
    "мирМИР",
    "日本語\U0001f600",
    "\u0130I\u0131i\u212a\u017f",
    "\u0301\u0307\ufb01\u01c5",
]


def generated(seed, n_texts):
    source = random.Random(seed)
    texts = [""]
    while len(texts) < n_texts:
        pools = source.sample(POOLS, source.randint(1, 4))
        length = source.randint(1, 40)
        text = "".join(source.choice(source.choice(pools)) for _ in range(length))
        texts.append(text)
    return texts


VECTORISERS = {
    "counts": lambda: CountVectorizer(),
    "present or not": lambda: CountVectorizer(binary=True, lowercase=False),
    "one letter": lambda: CountVectorizer(token_pattern=r"(?u)\b\w+\b"),
    "no white space": lambda: CountVectorizer(token_pattern=r"\S+"),
    "pairs": lambda: TfidfVectorizer(ngram_range=(1, 2)),
    "pairs alone": lambda: TfidfVectorizer(ngram_range=(2, 2), norm="l1"),
    "pairs over stop words": lambda: TfidfVectorizer(
        ngram_range=(1, 3), stop_words=["ab", "be", "миp", "xy", "ea"]
    ),
    "logarithms": lambda: TfidfVectorizer(sublinear_tf=True, norm=None),
    "frequent words": lambda: TfidfVectorizer(max_features=20, use_idf=False),
    "float32": lambda: TfidfVectorizer(dtype=np.float32),
    "characters": lambda: TfidfVectorizer(analyzer="char", ngram_range=(1, 3)),
    "characters as they are": lambda: CountVectorizer(
        analyzer="char", ngram_range=(2, 2), lowercase=False
    ),
    "characters of words": lambda: CountVectorizer(
        analyzer="char_wb", ngram_range=(1, 4)
    ),
    "longer than words": lambda: TfidfVectorizer(
        analyzer="char_wb", ngram_range=(5, 6)
    ),
}
# The lower case of these depends on more than the neighbouring characters.
HARD = ("\u0130", "\u03a3")


@pytest.mark.parametrize("name", VECTORISERS)
def test_generated_texts_agree_with_scikit_learn(name):
    vectoriser = VECTORISERS[name]().fit(generated(0, 150))
    easy = [text for text in generated(0, 60) if not any(c in text for c in HARD)]
    reader = OnnxTransformer(to_onnx(vectoriser, easy).to_bytes())
    texts = generated(1, 250)
    got, expected = reader.transform(texts), vectoriser.transform(texts).toarray()
    unread = np.isnan(got).any(axis=1)
    hard = [vectoriser.lowercase and any(c in text for c in HARD) for text in texts]
    assert not unread[~np.array(hard)].any()
    tolerance = 1e-6 if vectoriser.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(got[~unread], expected[~unread], atol=tolerance)


def test_capital_letters_of_greek_and_turkish_are_read_in_words():
    texts = ["Σοφία ΣΟΦΟΣ", "ο σοφός", "\u0130zmir ve D\u0130L", "izmir"]
    vectoriser = CountVectorizer().fit(texts)
    export = to_onnx(vectoriser, texts)
    got = OnnxTransformer(export.to_bytes()).transform(texts)
    np.testing.assert_array_equal(got, vectoriser.transform(texts).toarray())


def test_texts_without_a_token_are_read(end_opset):
    vectoriser = TfidfVectorizer().fit(TEXTS)
    reader = OnnxTransformer(
        to_onnx(vectoriser, TEXTS, target_opset=end_opset).to_bytes()
    )
    for texts in ([""], ["", ""], ["?!"], ["", "fox", " "], ["x" * 1000]):
        np.testing.assert_allclose(
            reader.transform(texts), vectoriser.transform(texts).toarray()
        )


@pytest.mark.filterwarnings("ignore:Upper case characters")
def test_terms_of_a_given_vocabulary_that_no_text_can_have_stay_zero():
    terms = ["fox", "new york", "Dog", "the", "dog"]
    model = CountVectorizer(vocabulary=terms, stop_words=["the"]).fit(TEXTS)
    texts = ["The fox in New York", "Dog dog", "new york"]
    got = OnnxTransformer(to_onnx(model, TEXTS).to_bytes()).transform(texts)
    np.testing.assert_array_equal(got, [[1, 0, 0, 0, 0], [0, 0, 0, 0, 2], [0] * 5])


PIPELINES = {
    "tf-idf": lambda: make_pipeline(TfidfVectorizer(), net()),
    "counts, then weights": lambda: make_pipeline(
        CountVectorizer(), TfidfTransformer(sublinear_tf=True), net()
    ),
    "components": lambda: make_pipeline(
        TfidfVectorizer(), TruncatedSVD(3, random_state=0), net()
    ),
    "words and characters": lambda: make_pipeline(
        make_union(TfidfVectorizer(), CountVectorizer(analyzer="char")), net()
    ),
    "scaled": lambda: make_pipeline(
        CountVectorizer(), StandardScaler(with_mean=False), net()
    ),
    "search": lambda: GridSearchCV(
        make_pipeline(TfidfVectorizer(), net()),
        {"tfidfvectorizer__ngram_range": [(1, 1), (1, 2)]},
        cv=2,
    ),
    "vote": lambda: VotingClassifier(
        [
            ("a", make_pipeline(TfidfVectorizer(), net())),
            ("b", make_pipeline(CountVectorizer(), LogisticRegression())),
        ],
        voting="soft",
    ),
    "baseline": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()),
}
NEW = ["A fox, a DOG", "über Käfer", "", "nothing of it"]


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_of_texts_are_exported(name):
    model = PIPELINES[name]().fit(TEXTS, LABELS)
    reader = OnnxClassifier(to_onnx(model, TEXTS).to_bytes())
    np.testing.assert_allclose(
        reader.predict_proba(NEW), model.predict_proba(NEW), atol=1e-6
    )
    np.testing.assert_array_equal(reader.predict(NEW), model.predict(NEW))


KINDS = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "objects": lambda texts: np.array(texts, object),
    "Series": pd.Series,
    "strings of pandas": lambda texts: pd.Series(texts, dtype="string"),
    "polars": pl.Series,
}


@pytest.fixture(scope="module")
def piped():
    return make_pipeline(TfidfVectorizer(), net()).fit(TEXTS, LABELS)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_accepted_in_lists_series_and_arrays(kind, piped):
    reader = OnnxClassifier(to_onnx(piped, KINDS[kind](TEXTS)).to_bytes())
    expected = piped.predict_proba(NEW)
    np.testing.assert_allclose(reader.predict_proba(KINDS[kind](NEW)), expected)


BAD = {
    "a missing text": ["a", None],
    "NaN": [np.nan],
    "a number": ["a", 1.0],
    "rows of columns": [["a"]],
    "a frame": pd.DataFrame({"text": TEXTS}),
    "one text": "abc",
    "no text": [],
}


@pytest.mark.parametrize("name", BAD)
def test_the_error_names_input_that_is_not_text(name, piped):
    with pytest.raises(OnnxExportError, match=r"must contain texts|has no row"):
        to_onnx(piped, BAD[name])
    reader = OnnxClassifier(to_onnx(piped, TEXTS).to_bytes())
    with pytest.raises((ValueError, TypeError), match=r"must contain texts|0 sample"):
        reader.predict(BAD[name])


def test_a_column_of_texts_is_joined_with_numbers(run, same):
    frame = pd.DataFrame({"text": TEXTS, "n": np.arange(8.0)})
    columns = make_column_transformer(
        (TfidfVectorizer(), "text"), (StandardScaler(), ["n"])
    )
    model = make_pipeline(columns, net()).fit(frame, LABELS)
    export = to_onnx(model, frame)
    other = pd.DataFrame({"text": NEW, "n": [0.5, -1.0, 2.0, 9.0]})
    same(model, export, other)
    # The estimator refuses a missing text.
    other.loc[1, "text"] = None
    probabilities = run(export, other)["probabilities"]
    np.testing.assert_array_equal(np.isnan(probabilities).all(1), [0, 1, 0, 0])


REFUSED = {
    "HashingVectorizer": HashingVectorizer(n_features=8),
    "strip_accents": TfidfVectorizer(strip_accents="unicode"),
    "preprocessor": CountVectorizer(preprocessor=str.upper),
    "tokenizer": CountVectorizer(tokenizer=str.split, token_pattern=None),
    "analyzer": CountVectorizer(analyzer=str.split),
    "token_pattern": CountVectorizer(token_pattern="[a-z]+"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_text_options_without_an_onnx_form_are_refused(name):
    model = make_pipeline(REFUSED[name], net()).fit(TEXTS, LABELS)
    with pytest.raises(OnnxExportError, match=name) as caught:
        to_onnx(model, TEXTS)
    assert "has no ONNX form" in str(caught.value)


@pytest.mark.parametrize("shape", [[None], [None, 1]])
def test_skl2onnx_writes_texts_before_a_network_by_the_same_rules(shape, piped):
    kind = StringTensorType(shape)
    proto = convert_sklearn(
        piped, initial_types=[("X", kind)], options={"zipmap": False}
    )
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    texts = np.array(NEW, object).reshape([-1, *shape[1:]])
    np.testing.assert_allclose(
        session.run(None, {"X": texts})[1], piped.predict_proba(NEW), atol=1e-12
    )


def test_the_file_asks_for_no_locale(piped):
    operators = {node.op_type for node in to_onnx(piped, TEXTS).model.graph.node}
    assert "StringNormalizer" not in operators


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["C", "en_US.UTF-8"])
def test_texts_are_exported_and_read_under_any_locale(locale, piped):
    code = (
        "from sklearn.feature_extraction.text import TfidfVectorizer\n"
        "from sklearn_deep import OnnxTransformer, to_onnx\n"
        f"texts = {TEXTS!a}\n"
        "vectoriser = TfidfVectorizer().fit(texts)\n"
        "reader = OnnxTransformer(to_onnx(vectoriser, texts).to_bytes())\n"
        "print(abs(reader.transform(texts) - vectoriser.transform(texts)).max() < 1e-12)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "LC_ALL": locale, "LANG": locale},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
