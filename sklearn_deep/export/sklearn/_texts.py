"""Rules of text vectorisers: counts of words and characters, without a locale.

onnxruntime's StringNormalizer needs a locale for lower case, which slim machines lack. Here
texts are split into characters, and a table maps each character to the code of its lower
case. Words are sequences of codes with one lookup each; n-grams are counted over codes.
"""

import sys
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import (
    DOUBLE,
    FLOAT,
    INT,
    PIXEL,
    STRING,
    Graph,
    Value,
    real,
)
from sklearn_deep.export.graph._registry import rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.sklearn._imputers import where_equal
from sklearn_deep.serving._sequence_inputs import WHITE_SPACE

Terms = dict[tuple[int, ...], int]  # codes of a term -> its column

# Codes of characters; those of known characters begin at 1.
_NONE, _UNKNOWN, _CASED, _CAPITAL_SIGMA = 0, -1, -2, -3
_SIGMAS = ("\u03c3", "\u03c2")  # within a word and at its end
_DOTTED_I = "\u0130"  # its lower case is i and a combining dot, which ends a word
# A text with a token under every pattern, added to each batch: without any token in a batch
# the Tokenizer's output would lack an axis.
_ANCHOR = "aa"

# Python's token patterns and the equivalent patterns of onnxruntime: for unchanged texts, and
# for lowercase=True, where a dotted I ends a word.
_WORD = r"[\p{L}\p{N}_]"
_UNDOTTED = f"(?:[^\\P{{L}}{_DOTTED_I}]|[\\p{{N}}_])"
_NO_SPACE = f"[^{''.join(WHITE_SPACE)}]"
_LONG_WORDS = (_WORD + "{2,}", f"{_UNDOTTED}+{_DOTTED_I}|{_UNDOTTED}{{2,}}")
_WORDS = (_WORD + "+", f"{_UNDOTTED}*{_DOTTED_I}|{_UNDOTTED}+")
_NO_SPACES = (_NO_SPACE + "+", _NO_SPACE + "+")
_PATTERNS = {
    r"\b\w\w+\b": _LONG_WORDS,
    r"\w\w+": _LONG_WORDS,
    r"\b\w+\b": _WORDS,
    r"\w+": _WORDS,
    r"\S+": _NO_SPACES,
    r"[^\s]+": _NO_SPACES,
}
# Characters that Python ignores between letters when it lowercases a capital sigma.
_BETWEEN = (
    r"[\p{Mn}\p{Me}\p{Cf}\p{Lm}\p{Sk}'.:\x{b7}\x{387}\x{2018}\x{2019}\x{2024}\x{2027}]+"
)
_LETTER = r"[\p{Lu}\p{Ll}\p{Lt}]"


# Counts


@rule("transform", CountVectorizer)
def _count(graph: Graph, model: CountVectorizer, table: Table) -> Table:
    return _as_table(graph, model, _counts(graph, model, table))


@rule("transform", TfidfVectorizer)
def _count_and_weight(graph: Graph, model: TfidfVectorizer, table: Table) -> Table:
    counts = _counts(graph, model, table)
    return _as_table(graph, model, _weighted(graph, model, counts))


@rule("transform", TfidfTransformer)
def _weight(graph: Graph, model: TfidfTransformer, table: Table) -> Table:
    out = _weighted(graph, model, table.matrix(graph, DOUBLE))
    return Table.of(graph.cast(out, real(table.dtype)), table.width)


@rule("transform", HashingVectorizer)
def _refuse(graph: Graph, model: HashingVectorizer, table: Table) -> Table:
    raise OnnxExportError(
        "HashingVectorizer has no ONNX form: ONNX has no hash of strings. Use a"
        " TfidfVectorizer or a CountVectorizer, which keep a vocabulary."
    )


def _as_table(graph: Graph, model: Any, counts: Value) -> Table:
    # Integers have no NaN, which marks texts that the graph cannot lowercase.
    dtype = FLOAT if np.dtype(model.dtype) == FLOAT else DOUBLE
    return Table.of(graph.cast(counts, dtype), len(model.vocabulary_))


def _counts(graph: Graph, model: Any, table: Table) -> Value:
    """Count each term in each text, (n, n_terms)."""
    _check(model)
    texts = _texts(graph, table)
    anchor = graph.constant(np.array([_ANCHOR], object))
    with_anchor = graph.concat([texts, anchor], axis=0)
    codes, terms = _ANALYZERS[model.analyzer](graph, model, with_anchor)
    counts = _counted(graph, model, codes, terms)
    if model.binary:
        counts = graph.math("Min", counts, 1.0)
    counts = graph.cast(counts, DOUBLE)
    if table.row_shape is None:  # scikit-learn refuses missing strings in a column
        missing = graph.reshape(where_equal(graph, with_anchor, None), (-1, 1))
        counts = _nan_where(graph, missing, counts)
    unreadable = _unreadable(model)
    if unreadable:
        found = _has_pattern(graph, with_anchor, unreadable)
        counts = _nan_where(graph, found, counts)
    return _without_last(graph, counts)


def _unreadable(model: Any) -> str:
    """Pattern of texts whose lower case the graph cannot compute; empty if none."""
    if not model.lowercase:
        return ""
    found = _PATTERNS[_pattern(model)] if model.analyzer == "word" else _NO_SPACES
    patterns = [_DOTTED_I] if found is _NO_SPACES else []
    if any(sigma in term for term in model.vocabulary_ for sigma in _SIGMAS):
        # In a word of several letters the next letter decides.
        end = r"[\p{N}_]" if found is _LONG_WORDS else ""
        patterns += [f"\u03a3{_BETWEEN}{_LETTER}", f"{_LETTER}{_BETWEEN}\u03a3{end}"]
    return "|".join(patterns)


def _has_pattern(graph: Graph, texts: Value, pattern: str) -> Value:
    """Mark the texts that contain a pattern, (n, 1)."""
    found = _tokenized(graph, texts, tokenexp=pattern)
    present = graph.ml_node(
        "LabelEncoder",
        found,
        dtype=INT,
        keys_strings=[""],
        values_int64s=[0],
        default_int64=1,
    )
    return graph.compare("Greater", graph.sum(present, 1, keepdims=True), 0)


def _nan_where(graph: Graph, marked: Value, counts: Value) -> Value:
    nan = graph.constant(np.array(np.nan))
    return graph.node("Where", marked, nan, counts, dtype=DOUBLE)


def _texts(graph: Graph, table: Table) -> Value:
    if len(table.blocks) != 1 or table.width != 1 or table.dtype != STRING:
        raise OnnxExportError(
            "A vectoriser of texts needs one column of strings. Give it a single column"
            " by its name in a ColumnTransformer, or texts as X."
        )
    return graph.reshape(table.blocks[0][0], (-1,))


def _without_last(graph: Graph, rows: Value) -> Value:
    bounds = [graph.constant(np.array([bound])) for bound in (0, -1, 0)]
    return graph.node("Slice", rows, *bounds)


def _check(model: Any) -> None:
    own = [
        f"{name}={value!r}"
        for name, value in (
            ("preprocessor", model.preprocessor),
            ("tokenizer", model.tokenizer),
            ("analyzer", model.analyzer if callable(model.analyzer) else None),
            ("strip_accents", model.strip_accents),
            ("input", None if model.input == "content" else model.input),
        )
        if value is not None
    ]
    if own:
        raise OnnxExportError(
            f"{type(model).__name__}({', '.join(own)}) has no ONNX form: your own"
            " functions, files and strip_accents are not supported. Prepare the texts before"
            " the pipeline, and leave these parameters at their defaults."
        )
    if model.analyzer == "word" and _pattern(model) not in _PATTERNS:
        raise OnnxExportError(
            f"{type(model).__name__}(token_pattern={model.token_pattern!r}) has no ONNX"
            f" form. Supported patterns: {', '.join(map(repr, _PATTERNS))}, with or without"
            " '(?u)' before them."
        )


def _pattern(model: Any) -> str:
    return (model.token_pattern or "").removeprefix("(?u)")


def _counted(graph: Graph, model: Any, codes: Value, terms: Terms) -> Value:
    low, high = model.ngram_range
    shortest = (
        1 if model.analyzer == "char_wb" else low
    )  # a word shorter than n is counted once
    usable = {t: k for t, k in terms.items() if shortest <= len(t) <= high}
    # A last column that is never counted fixes the number of columns.
    usable.setdefault((np.iinfo(np.int64).min,) * high, len(model.vocabulary_))
    ordered = sorted(usable, key=lambda term: (len(term), term))
    lengths = [len(term) for term in ordered]
    starts = [
        sum(length for length in lengths if length < n) for n in range(1, high + 1)
    ]
    counts = graph.node(
        "TfIdfVectorizer",
        codes,
        dtype=FLOAT,
        mode="TF",
        min_gram_length=min(shortest, min(lengths)),
        max_gram_length=high,
        max_skip_count=0,
        ngram_counts=starts,
        ngram_indexes=[usable[term] for term in ordered],
        pool_int64s=[number for term in ordered for number in term],
    )
    return graph.node(
        "Slice",
        counts,
        *(graph.constant(np.array([bound])) for bound in (0, -1, 1)),
    )


# Characters as codes


class _Alphabet:
    """Codes of the characters in the terms."""

    def __init__(self, model: Any, words: Iterable[str]) -> None:
        self.lower = model.lowercase
        # White space has the first codes.
        letters = sorted({c for word in words for c in word} - set(WHITE_SPACE))
        self.indices = {c: k + 1 for k, c in enumerate([*WHITE_SPACE, *letters])}

    def codes(self, word: str) -> tuple[int, ...]:
        """Codes of a term's characters."""
        return tuple(self.indices[c] for c in word)

    def read(self, graph: Graph, chars: Value, whole_words: bool = False) -> Value:
        """Map characters to codes, of their lower case if needed; padding is 0.

        For lookups of whole words, unknown characters need not be distinguished.
        """
        known = self._in_lower_case() if self.lower else dict(self.indices)
        if self._has_sigma() and not whole_words:
            known = {**dict.fromkeys(_cased(), _CASED), **known}
        known[""] = _NONE
        codes = graph.ml_node(
            "LabelEncoder",
            chars,
            dtype=INT,
            keys_strings=list(known),
            values_int64s=list(known.values()),
            default_int64=_UNKNOWN,
        )
        return self._with_small_sigmas(graph, codes) if self._has_sigma() else codes

    def _in_lower_case(self) -> dict[str, int]:
        small = {c: k for c, k in self.indices.items() if c.lower() == c}
        known = dict(small)
        for lower, capitals in _capitals().items():
            if lower in small:
                known.update(dict.fromkeys(capitals, small[lower]))
        if "i" in small:
            known[_DOTTED_I] = small["i"]
        if self._has_sigma():
            known["\u03a3"] = _CAPITAL_SIGMA
        return known

    def _has_sigma(self) -> bool:
        return self.lower and any(sigma in self.indices for sigma in _SIGMAS)

    def _with_small_sigmas(self, graph: Graph, codes: Value) -> Value:
        """Lowercase the capital sigma, which has another form at the end of a word."""
        cased = [k for c, k in self.indices.items() if c in _cased()]
        cased += [_CAPITAL_SIGMA, _CASED]
        before, after = (
            _is_in(graph, _shifted(graph, codes, by), cased) for by in (1, -1)
        )
        last = graph.node("And", before, graph.node("Not", after))
        within, end = (
            graph.constant(np.int64(self.indices.get(sigma, _UNKNOWN)))
            for sigma in _SIGMAS
        )
        small = graph.node("Where", last, end, within, dtype=INT)
        sigma = graph.compare("Equal", codes, _CAPITAL_SIGMA)
        return graph.node("Where", sigma, small, codes, dtype=INT)


@cache
def _cased() -> frozenset[str]:
    """Letters that have case."""
    every = map(chr, range(sys.maxunicode + 1))
    return frozenset(c for c in every if unicodedata.category(c) in ("Lu", "Ll", "Lt"))


@cache
def _capitals() -> dict[str, list[str]]:
    """Characters by their lower case, if it is a single other character."""
    found: dict[str, list[str]] = {}
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        lower = char.lower()
        if lower != char and len(lower) == 1:
            found.setdefault(lower, []).append(char)
    return found


def _is_in(graph: Graph, codes: Value, members: list[int]) -> Value:
    found = graph.ml_node(
        "LabelEncoder",
        codes,
        dtype=INT,
        keys_int64s=members,
        values_int64s=[1] * len(members),
        default_int64=0,
    )
    return graph.compare("Equal", found, 1)


def _characters(graph: Graph, texts: Value) -> Value:
    """Split texts into characters along a new axis."""
    return _tokenized(graph, texts, separators=[""])


def _tokenized(graph: Graph, texts: Value, **how: Any) -> Value:
    return graph.node(
        "Tokenizer",
        texts,
        domain="com.microsoft",
        mark=0,
        mincharnum=1,
        pad_value="",
        **how,
    )


def _padded(graph: Graph, codes: Value, before: int, after: int, axis: int) -> Value:
    """Pad the last axis, whose index is ``axis``, with zeros."""
    pads = np.zeros(2 * (axis + 1), np.int64)
    pads[axis], pads[-1] = before, after
    return graph.node("Pad", codes, graph.constant(pads))


def _slice_last_axis(graph: Graph, codes: Value, start: int, stop: int) -> Value:
    """Slice the last axis."""
    bounds = [graph.constant(np.array([bound])) for bound in (start, stop, -1)]
    return graph.node("Slice", codes, *bounds)


_END = np.iinfo(np.int64).max


def _shifted(graph: Graph, codes: Value, by: int) -> Value:
    """Shift the codes along the last axis by one position, filling with 0."""
    shape = graph.node("Shape", codes, dtype=INT)
    # Zeros of the shape of all other axes, and length 1 in the last one.
    first = graph.node("Slice", shape, *_ints(graph, [0], [-1]))
    one = graph.concat([first, graph.constant(np.array([1]))], axis=0)
    zero = graph.node("Expand", graph.constant(np.int64(0)), one)
    if by > 0:
        return graph.concat([zero, _slice_last_axis(graph, codes, 0, -1)], axis=-1)
    return graph.concat([_slice_last_axis(graph, codes, 1, _END), zero], axis=-1)


def _ints(graph: Graph, *lists: list[int]) -> list[Value]:
    return [graph.constant(np.array(codes, np.int64)) for codes in lists]


def _compact(graph: Graph, codes: Value, dropped: Value) -> Value:
    """Move codes that are not dropped to the front of (n, length); the rest is unknown."""
    codes = graph.node(
        "Where", dropped, graph.constant(np.int64(_UNKNOWN)), codes, dtype=INT
    )
    length = graph.column_of_shape(codes, 1)
    zero, one = graph.constant(np.int64(0)), graph.constant(np.int64(1))
    indices = graph.node("Range", zero, length, one, dtype=INT)
    late = graph.node("Mul", graph.cast(dropped, INT), length)
    keys = graph.node("Add", late, indices)
    k = graph.reshape(length, (1,))
    _, order = graph.node_of_two("TopK", keys, k, dtypes=(INT, INT), axis=1, largest=0)
    return graph.node("GatherElements", codes, order, axis=1)


# Analyzers: the codes of each text, (n, length), and the terms in such codes.

Analyzed = tuple[Value, Terms]


def _words(graph: Graph, model: Any, texts: Value) -> Analyzed:
    low, high = model.ngram_range
    stop = set(model.get_stop_words() or ())
    terms = {tuple(term.split(" ")): k for term, k in model.vocabulary_.items()}
    terms = {
        term: k
        for term, k in terms.items()
        if low <= len(term) <= high and not stop.intersection(term)
    }
    # The words around a stop word become neighbours.
    skipped = sorted(stop) if high > 1 else []
    words = sorted({word for term in terms for word in term if word} | set(skipped))
    indices = {word: k + 1 for k, word in enumerate(words)}
    tokens = _tokenized(
        graph, texts, tokenexp=_PATTERNS[_pattern(model)][model.lowercase]
    )
    alphabet = _Alphabet(model, words)
    chars = alphabet.read(graph, _characters(graph, tokens), whole_words=True)
    codes = _word_indices(graph, chars, [alphabet.codes(word) for word in words])
    if skipped:
        is_stop_word = _is_in(graph, codes, [indices[word] for word in skipped])
        codes = _compact(graph, codes, is_stop_word)
    known = {
        tuple(indices[word] for word in term): k
        for term, k in terms.items()
        if all(word in indices for word in term)
    }
    return codes, known


def _word_indices(graph: Graph, chars: Value, words: list[tuple[int, ...]]) -> Value:
    """Index of each word among the known ones, from 1; 0 for others."""
    length = 1 + max(map(len, words), default=0)
    spelled = np.zeros((len(words) + 1, length), np.int64)
    for k, word in enumerate(words):
        spelled[k + 1, : len(word)] = word
    # A word longer than all known ones differs in the character after their end.
    chars = _slice_last_axis(graph, _padded(graph, chars, 0, length, axis=2), 0, length)
    weights, sums = _fingerprints(spelled)
    # MatMul is exact for integers; onnxruntime's ReduceSum is not.
    fingerprint = graph.node("MatMul", chars, graph.constant(weights))
    index = graph.ml_node(
        "LabelEncoder",
        fingerprint,
        dtype=INT,
        keys_int64s=sums[1:].tolist() or [0],
        values_int64s=list(range(1, len(sums))) or [0],
        default_int64=0,
    )
    # Another word may have the same fingerprint: compare all characters.
    small = spelled.max() < 256
    known = graph.constant(spelled, PIXEL if small else INT)
    expected = graph.cast(graph.gather(known, index), INT)
    same = graph.cast(graph.node("Equal", chars, expected, dtype=np.dtype(bool)), INT)
    axis = graph.constant(np.array([2]))
    matches = (
        graph.node("ReduceMin", same, axes=[2], keepdims=0)
        if graph.opset < 18
        else graph.node("ReduceMin", same, axis, keepdims=0)
    )
    return graph.node("Mul", index, matches)


def _fingerprints(spelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw weights of the character positions that give each word a distinct sum."""
    room = (2**62) // (spelled.shape[1] * (int(spelled.max()) + 1))
    rng = np.random.default_rng(0)
    while True:
        weights = rng.integers(1, max(room, 2), spelled.shape[1])
        sums = spelled @ weights
        if len(np.unique(sums)) == len(sums):
            return weights, sums


def _char_terms(alphabet: _Alphabet, model: Any) -> Terms:
    return {alphabet.codes(term): k for term, k in model.vocabulary_.items()}


def _chars(graph: Graph, model: Any, texts: Value) -> Analyzed:
    alphabet = _Alphabet(model, model.vocabulary_)
    codes = alphabet.read(graph, _characters(graph, texts))
    # scikit-learn replaces two or more white spaces by one space.
    white = _is_in(graph, codes, list(range(1, len(WHITE_SPACE) + 1)))
    marks = graph.cast(white, INT)
    after = graph.compare("Equal", _shifted(graph, marks, 1), 1)
    before = graph.compare("Equal", _shifted(graph, marks, -1), 1)
    space = graph.constant(np.int64(alphabet.indices[" "]))
    first = graph.node("And", white, before)
    codes = graph.node("Where", first, space, codes, dtype=INT)
    codes = _compact(graph, codes, graph.node("And", white, after))
    return codes, _char_terms(alphabet, model)


def _chars_of_words(graph: Graph, model: Any, texts: Value) -> Analyzed:
    alphabet = _Alphabet(model, model.vocabulary_)
    tokens = _tokenized(graph, texts, separators=list(WHITE_SPACE))
    codes = alphabet.read(graph, _characters(graph, tokens))
    # A space before and after each word, then a gap that no n-gram spans.
    present = graph.node("Not", graph.compare("Equal", codes, _NONE))
    length = graph.sum(graph.cast(present, INT), 2, keepdims=True)
    codes = _padded(graph, codes, 1, 2, axis=2)
    width = graph.column_of_shape(codes, 2)
    zero, one = graph.constant(np.int64(0)), graph.constant(np.int64(1))
    indices = graph.node("Range", zero, width, one, dtype=INT)
    end = graph.node(
        "Equal", indices, graph.math("Add", length, 1), dtype=present.dtype
    )
    edge = graph.node("Or", end, graph.compare("Equal", indices, 0))
    edge = graph.node("And", edge, graph.compare("Greater", length, 0))
    space = graph.constant(np.int64(alphabet.indices[" "]))
    codes = graph.node("Where", edge, space, codes, dtype=INT)
    codes = graph.reshape(codes, (0, -1))
    return codes, _char_terms(alphabet, model)


_ANALYZERS: dict[str, Callable[[Graph, Any, Value], Analyzed]] = {
    "word": _words,
    "char": _chars,
    "char_wb": _chars_of_words,
}


# Weights


def _weighted(graph: Graph, model: Any, counts: Value) -> Value:
    """Apply sublinear counts, inverse document frequencies and normalisation."""
    if model.sublinear_tf:
        present = graph.compare("Greater", counts, 0.0)
        logs = graph.math("Add", graph.node("Log", counts), 1.0)
        counts = graph.node("Where", present, logs, counts, dtype=DOUBLE)
    if model.use_idf:
        counts = graph.math("Mul", counts, np.asarray(model.idf_, float)[None])
    if model.norm is None:
        return counts
    sizes = graph.node("Abs", counts)
    if model.norm == "l2":
        sizes = graph.node("Mul", counts, counts)
    norm = graph.sum(sizes, 1, keepdims=True)
    if model.norm == "l2":
        norm = graph.node("Sqrt", norm)
    empty = graph.compare("Equal", norm, 0.0)
    norm = graph.node(
        "Where", empty, graph.constant(np.ones((1, 1))), norm, dtype=DOUBLE
    )
    return graph.node("Div", counts, norm)
