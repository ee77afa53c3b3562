"""Tables in a state come back as they were, and most of them as arrays."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_deep.training.checkpoints._columns import join, split
from sklearn_deep.training.checkpoints._format import decode, encode
from sklearn_deep.training.checkpoints._run_state import RunState

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)
)
KINDS = [st.none(), st.booleans(), st.integers(), st.floats(), VALUES]
KEYS = st.text(max_size=3)


@st.composite
def tables(draw):
    """Rows with the same keys; the values of a column are often of one type."""
    keys = draw(st.lists(KEYS, max_size=4, unique=True))
    kinds = {key: draw(st.sampled_from(KINDS)) for key in keys}
    n_rows = draw(st.integers(0, 5))
    return [{key: draw(kind) for key, kind in kinds.items()} for _ in range(n_rows)]


def bits(value):
    """The value with its type, floats by their bits."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, dict):
        return [(key, bits(v)) for key, v in value.items()]
    if isinstance(value, list):
        return [bits(v) for v in value]
    return type(value), value


@given(st.dictionaries(KEYS, st.one_of(tables(), VALUES, st.lists(VALUES)), max_size=3))
def test_numbers_come_back_from_a_file_with_their_types_and_bits(numbers):
    content = bytearray(b"".join(encode("key", "owner", RunState(numbers))))
    _, state = decode(content)
    assert not state.arrays
    assert dict(bits(state.numbers)) == dict(bits(numbers))


def test_a_history_is_written_as_arrays():
    history = [{"epoch": i, "loss": i / 7, "score": None} for i in range(50)]
    plain, rest, arrays = split({"history": history, "seconds": 3.0})
    assert plain == {"seconds": 3.0}
    assert [key for key, values in rest["history"] if values is not None] == ["score"]
    assert sorted(arrays) == ["history:epoch", "history:loss"]
    assert join(plain, rest, arrays)["history"] == history


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{}],
        [{"a": 1.0}, {"b": 1.0}],
        [{"a": 1.0}, {"a": 1.0, "b": 2.0}],
        [{"a": 1.0, "b": 2.0}, {"b": 2.0, "a": 1.0}],
        [{"a": 1.0}, [1.0]],
        [{1: 2.0}],
    ],
)
def test_rows_of_other_kinds_stay_as_they_are(rows):
    assert split({"rows": rows}) == ({"rows": rows}, {}, {})


@pytest.mark.parametrize("column", [[1, 2.0], [True, 2], [2**70, 1], ["a", "b"]])
def test_columns_that_no_array_holds_exactly_stay_as_they_are(column):
    rows = [{"a": value} for value in column]
    plain, rest, arrays = split({"rows": rows})
    assert (plain, rest, arrays) == ({}, {"rows": [["a", column]]}, {})
    found = join(plain, rest, arrays)["rows"]
    assert [type(row["a"]) for row in found] == [type(value) for value in column]
