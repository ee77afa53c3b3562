"""Parameter rules: what they allow, and how an error shows what came."""

from fractions import Fraction
from numbers import Integral

import numpy as np
import pytest

from sklearn_deep import InvalidParameterError
from sklearn_deep._params import (
    BOOLEAN,
    NONE,
    Number,
    OneOf,
    SequenceOf,
    check_value,
    shown,
)
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._initializers import INITIALIZERS
from sklearn_deep.nn._losses import LOSSES
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._schedules import SCHEDULES

INT, REAL = Number(Integral, 1), Number(low=0)

TABLES = {
    "activations": ACTIVATIONS,
    "initializers": INITIALIZERS,
    "losses": {name for name, _ in LOSSES},
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
}


@pytest.mark.parametrize("names", TABLES.values(), ids=list(TABLES))
def test_every_name_of_a_table_is_allowed_as_a_string_of_numpy(names):
    rule = OneOf(*names)
    assert all(map(rule.allows, np.array(list(names))))


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (INT, np.int8(3)),
        (INT, np.uint64(3)),
        (REAL, np.float16(0.5)),
        (REAL, np.longdouble(0.5)),
        (REAL, np.int64(3)),
        (REAL, Fraction(1, 3)),
        (BOOLEAN, np.bool_(False)),
        (OneOf("auto"), np.str_("auto")),
        (SequenceOf(REAL), np.array([0.1, 0.2], np.float32)),
        (SequenceOf(INT), (np.int64(3), 4)),
        (SequenceOf(OneOf("a", "b")), np.array(["a", "b"])),
    ],
)
def test_scalars_and_strings_of_numpy_count_as_those_of_python(rule, value):
    assert rule.allows(value)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (INT, 10**400),
        (INT, 2**63),
        (INT, np.uint64(2**63)),
        (INT, 3.0),
        (REAL, 10**400),
        (REAL, np.float64("nan")),
        (REAL, np.array(0.5)),
        (REAL, np.bool_(True)),
        (BOOLEAN, np.int64(1)),
        (BOOLEAN, np.str_("True")),
        (NONE, np.str_("None")),
        (SequenceOf(REAL), np.array(3)),
        (SequenceOf(INT), np.array([[3]])),
    ],
)
def test_what_is_no_such_scalar_is_refused_by_an_error_that_shows_it(rule, value):
    with pytest.raises(InvalidParameterError) as caught:
        check_value("Net", "x", value, (rule,))
    assert f"The 'x' parameter of Net must be {rule}." in str(caught.value)
    assert f"Got {shown(value)}" in str(caught.value)


def test_the_error_shows_a_huge_number_a_class_and_a_long_list_in_short():
    assert shown(10**5000) == f"an int of {(10**5000).bit_length()} bits"
    assert shown(OneOf) == "the class OneOf, not an instance of it: OneOf()"
    text = shown(list(range(10**5)))
    assert len(text) < 600
    assert text.startswith("[0, 1, 2")
    assert text.endswith("99999]")
