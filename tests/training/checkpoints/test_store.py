"""States of fits in a folder: whole or not at all, and never those of another fit."""

import math
import struct
import warnings

import numpy as np
import pytest

from run_states import assert_same, make_state
from sklearn_deep import CheckpointWarning
from sklearn_deep.training.checkpoints._run_state import RunState

KEY, OTHER = "3a" * 32, "5b" * 32


def test_a_state_comes_back_as_it_was_stored(make_store):
    make_store().write(KEY, make_state())
    assert_same(make_state(), make_store().read(KEY))


def test_arrays_of_a_state_can_be_modified_and_are_aligned(make_store):
    make_store().write(KEY, make_state())
    weights = make_store().read(KEY).arrays["weights"]
    weights += 1
    assert weights.flags.aligned


def test_there_is_no_state_of_a_new_fit(make_store):
    assert make_store().read(KEY) is None


@pytest.mark.parametrize(
    "bits", ["7ff8000000000000", "fff8000000000123", "8" + 15 * "0"]
)
def test_floats_come_back_to_the_same_bits(make_store, bits):
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    make_store().write(KEY, RunState({"values": [value, -math.inf, 5e-324]}))
    values = make_store().read(KEY).numbers["values"]
    assert struct.pack(">d", values[0]).hex() == bits
    assert values[1:] == [-math.inf, 5e-324]


def test_numbers_of_numpy_come_back_as_those_of_python(make_store):
    numbers = {"a": np.float64(0.1), "b": np.int32(3), "c": np.bool_(True), "d": (1, 2)}
    make_store().write(KEY, RunState(numbers))
    found = make_store().read(KEY).numbers
    assert found == {"a": 0.1, "b": 3, "c": True, "d": [1, 2]}
    assert [type(v) for v in found.values()] == [float, int, bool, list]


@pytest.mark.parametrize(
    "state",
    [
        RunState({"a": object()}),
        RunState({"a": {1: 2}}),
        RunState({"a": [{1: 2.0}]}),
        RunState({}, {"a": np.array(["text"])}),
        RunState({}, {"a": np.array([None])}),
    ],
)
def test_what_the_format_does_not_hold_is_an_error(make_store, state):
    with pytest.raises(TypeError, match="a state holds no"):
        make_store().write(KEY, state)


def test_a_new_state_takes_the_place_of_the_last_one(make_store, tmp_path):
    store = make_store()
    for epoch in range(3):
        store.write(KEY, make_state(epoch))
    assert_same(make_state(2), store.read(KEY))
    assert [p.name for p in tmp_path.glob("*.state")] == [f"{KEY}.state"]


def test_as_many_states_are_kept_as_the_user_asks_for(make_store, tmp_path):
    store = make_store(keep=3)
    for epoch in range(5):
        store.write(KEY, make_state(epoch))
    assert len(list(tmp_path.glob("*.state"))) == 3
    assert_same(make_state(4), store.read(KEY))


def test_a_damaged_state_is_named_and_the_one_before_it_is_read(make_store, tmp_path):
    store = make_store(keep=2)
    store.write(KEY, make_state(1))
    store.write(KEY, make_state(2))
    last = tmp_path / f"{KEY}.state"
    last.write_bytes(last.read_bytes()[:-1])
    with pytest.warns(CheckpointWarning, match=f"{KEY}.state: it is damaged"):
        found = store.read(KEY)
    assert_same(make_state(1), found)


def test_without_a_state_that_can_be_read_there_is_none(make_store, tmp_path):
    store = make_store()
    store.write(KEY, make_state())
    (tmp_path / f"{KEY}.state").write_text("something else")
    with pytest.warns(CheckpointWarning, match="MLPClassifier cannot continue from"):
        assert store.read(KEY) is None


def test_the_state_of_another_fit_is_refused(make_store, tmp_path):
    store = make_store()
    store.write(OTHER, make_state())
    (tmp_path / f"{OTHER}.state").rename(tmp_path / f"{KEY}.state")
    with pytest.warns(CheckpointWarning, match="the state of another fit"):
        assert store.read(KEY) is None


def test_states_of_a_fit_are_removed_and_those_of_others_stay(make_store):
    store = make_store(keep=2)
    for key in (KEY, KEY, OTHER):
        store.write(key, make_state())
    store.remove(KEY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.read(KEY) is None
    assert_same(make_state(), store.read(OTHER))
