"""Tokens and their codes."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_deep.data._vocabulary import UNKNOWN, Vocabulary, tokenize


def test_characters_are_tokens():
    ragged = tokenize(["abba", "ö😀"], "char", "Net")
    assert [array.tolist() for array in ragged.arrays()] == [list("abba"), ["ö", "😀"]]


def test_words_are_what_whitespace_separates():
    ragged = tokenize(["One  two\n", "it's"], "word", "Net")
    assert [list(array) for array in ragged.arrays()] == [["One", "two"], ["it's"]]


@pytest.mark.parametrize("analyzer", ["char", "word"])
@pytest.mark.parametrize(
    "items",
    [[["ab", "c"], ["d"]], [[3, 4], [5]], [np.array([3, 4]), np.array([5])]],
    ids=["strings", "integers", "arrays"],
)
def test_lists_of_tokens_are_taken_as_they_are(items, analyzer):
    ragged = tokenize(items, analyzer, "Net")
    assert [list(array) for array in ragged.arrays()] == [list(i) for i in items]


@pytest.mark.parametrize(
    ("items", "analyzer"),
    [
        (["banana", "ab"], "char"),
        (["be ab ab be ab x", "x"], "word"),
        ([[7, 5, 5], [9, 7, 5]], "char"),
    ],
)
def test_frequent_tokens_come_first_and_all_come_back(items, analyzer):
    ragged = tokenize(items, analyzer, "Net")
    vocabulary = Vocabulary.learn(ragged.values, None)
    codes = vocabulary.encode(ragged, "Net").values
    assert_array_equal(vocabulary.tokens[codes - 1], ragged.values)
    counts = np.bincount(codes)[1:]
    assert list(counts) == sorted(counts, reverse=True)
    assert vocabulary.n_codes == len(counts) + 1


def test_ties_are_in_the_order_of_the_tokens():
    ragged = tokenize(["dcba"], "char", "Net")
    assert Vocabulary.learn(ragged.values, None).tokens.tolist() == list("abcd")


@pytest.mark.parametrize(
    ("learnt", "asked", "analyzer"),
    [
        (["aab"], ["abz"], "char"),
        (["to to be"], ["to be not"], "word"),
        ([[1, 1, 2]], [[1, 2, 8]], "char"),
    ],
)
def test_others_than_the_most_frequent_share_one_code(learnt, asked, analyzer):
    vocabulary = Vocabulary.learn(tokenize(learnt, analyzer, "Net").values, 1)
    codes = vocabulary.encode(tokenize(asked, analyzer, "Net"), "Net").values
    assert codes.tolist() == [1, UNKNOWN, UNKNOWN]


def test_a_given_vocabulary_keeps_its_order():
    vocabulary = Vocabulary.given("cab", "Net")
    codes = vocabulary.encode(tokenize(["abcd"], "char", "Net"), "Net").values
    assert codes.tolist() == [2, 3, 1, UNKNOWN]


def test_a_vocabulary_of_words_knows_no_characters():
    vocabulary = Vocabulary.given(["ab", "cd"], "Net")
    codes = vocabulary.encode(tokenize(["abcd"], "char", "Net"), "Net").values
    assert codes.tolist() == [UNKNOWN] * 4


@pytest.mark.parametrize(
    ("tokens", "error", "message"),
    [
        ([], TypeError, "must hold strings, or integers"),
        (["a", 1], TypeError, "must hold strings, or integers"),
        ([1.5], TypeError, "must hold strings, or integers"),
        (["a", "b", "a"], ValueError, r"names \['a'\] more than once"),
    ],
)
def test_a_given_vocabulary_is_checked(tokens, error, message):
    with pytest.raises(error, match=message):
        Vocabulary.given(tokens, "Net")


@pytest.mark.parametrize(
    ("items", "analyzer", "error", "message"),
    [
        (
            ["a", None],
            "char",
            ValueError,
            r"X\[1\] of Net is missing \(None\): fill it",
        ),
        ([["a"], None], "word", ValueError, r"X\[1\] of Net is missing \(None\)"),
        ([["a"], [None]], "char", ValueError, r"X\[1\]\[0\] of Net is missing \(None"),
        ([[1], [2, None]], "char", ValueError, r"X\[1\]\[1\] of Net is missing \(None"),
        (["a", ["b"]], "char", TypeError, r"X\[1\] of Net is a list of tokens"),
        ([["a"], ["b", 3]], "char", TypeError, r"X\[1\] of Net holds 3"),
        (
            [[1.5], [2.5]],
            "char",
            TypeError,
            "a token is a string or an integer|holds 1.5",
        ),
    ],
)
def test_what_is_no_token_is_named(items, analyzer, error, message):
    with pytest.raises(error, match=message):
        tokenize(items, analyzer, "Net")


@pytest.mark.parametrize(("learnt", "asked"), [([[1]], ["a"]), (["a"], [[1]])])
def test_text_and_integers_are_not_mixed_up(learnt, asked):
    vocabulary = Vocabulary.learn(tokenize(learnt, "char", "Net").values, None)
    with pytest.raises(TypeError, match="the vocabulary is of"):
        vocabulary.encode(tokenize(asked, "char", "Net"), "Net")


@pytest.mark.parametrize(
    ("items", "analyzer", "lengths"),
    [
        (["ab", "", "c"], "char", [2, 0, 1]),
        (["  ", "a b"], "word", [0, 2]),
        ([["a"], [], ["b", "c"]], "char", [1, 0, 2]),
        ([[], [4, 5]], "char", [0, 2]),
        (["", ""], "char", [0, 0]),
        ([[], []], "char", [0, 0]),
    ],
)
def test_texts_and_lists_may_be_empty(items, analyzer, lengths):
    ragged = tokenize(items, analyzer, "Net")
    assert ragged.lengths.tolist() == lengths
    vocabulary = Vocabulary.given([4, 5] if [4, 5] in items else ["a", "c"], "Net")
    assert vocabulary.encode(ragged, "Net").lengths.tolist() == lengths
