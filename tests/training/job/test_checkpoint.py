"""The ``checkpoint`` parameter: None, a folder, or a ``Checkpoint``."""

import copy
import os
import pickle
from pathlib import Path

import pytest

from sklearn_deep import Checkpoint, InvalidParameterError
from sklearn_deep.training.job._checkpoint import make_checkpoint


@pytest.mark.parametrize("value", ["states", Path("states"), Checkpoint("states")])
def test_a_folder_stands_for_a_checkpoint_in_it(value):
    found = make_checkpoint("Net", value)
    assert found.path == Path("states")
    assert (found.every_seconds, found.keep, found.on_done) == (30, 1, "keep")


def test_none_is_none():
    assert make_checkpoint("Net", None) is None


def test_the_home_folder_can_be_given_as_in_a_shell():
    assert Checkpoint("~/states").path == Path(os.path.expanduser("~")) / "states"


def test_checkpoints_are_compared_by_value_and_can_be_copied():
    value = Checkpoint("states", keep=2)
    assert copy.deepcopy(value) == value == pickle.loads(pickle.dumps(value))
    assert value != Checkpoint("states", keep=3)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "'checkpoint' parameter of Net must be a folder .* Got 3"),
        (b"states", "'checkpoint' parameter of Net"),
        (Checkpoint(3), "'folder' parameter of Checkpoint .* Got 3"),
        (Checkpoint("s", every_seconds=-1), "'every_seconds' parameter of Checkpoint"),
        (Checkpoint("s", every_seconds="1 min"), "'every_seconds' parameter"),
        (Checkpoint("s", every_epochs=0), "'every_epochs' parameter of Checkpoint"),
        (Checkpoint("s", every_epochs=1.5), "'every_epochs' parameter of Checkpoint"),
        (Checkpoint("s", keep=0), "'keep' parameter of Checkpoint"),
        (Checkpoint("s", on_done="delete"), "'on_done' parameter of Checkpoint"),
    ],
    ids=str,
)
def test_an_invalid_value_is_named(value, message):
    with pytest.raises(InvalidParameterError, match=message):
        make_checkpoint("Net", value)
