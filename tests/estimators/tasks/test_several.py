"""Several tasks are one matrix of targets: encoded values side by side, and weights."""

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_deep.data._tasks import Settings
from sklearn_deep.estimators.tasks._several import SeveralTasks, TaskSpec

NAN = np.nan
# Places of labels among "a", "b", "c"; numbers; places among "n", "y"; numbers.
Y = np.array(
    [
        [0, 10.0, 1, 1.0],
        [2, NAN, 0, 3.0],
        [NAN, 30.0, 1, NAN],
        [1, 20.0, NAN, 2.0],
    ]
)
SPECS = (
    TaskSpec("kind", np.array(["a", "b", "c"]), "float64", "log_loss"),
    TaskSpec("size", None, "float64", "squared_error"),
    TaskSpec("flag", np.array(["n", "y"]), "float64", "log_loss"),
    TaskSpec("mass", None, "float64", "squared_error"),
)


def several(weight="equal", n_hidden=0, specs=SPECS):
    return SeveralTasks(Settings("MultiTask"), specs, weight, n_hidden)


def learnt(weight="equal", **changes):
    return several(weight, **changes).learn(Y, None, None)


def test_tasks_with_one_loss_have_adjacent_outputs():
    targets = learnt()
    assert targets.order == (0, 1, 3, 2)
    assert targets.slices == [slice(0, 3), slice(3, 4), slice(5, 6), slice(4, 5)]
    assert targets.n_outputs == 6
    loss = several().loss(targets)
    assert [(a.n_tasks, a.n_raw) for a in loss.alike] == [(1, 3), (2, 1), (1, 1)]


def test_a_target_is_encoded_as_its_own_task_does_and_a_missing_one_as_zeros():
    encoded = learnt().encode(Y, "float64")
    assert_array_equal(encoded[:, :3], [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 1, 0]])
    scale = np.std([10, 20, 30])
    assert_allclose(encoded[:, 3], np.array([-10, 0, 10, 0]) / scale)
    assert_array_equal(encoded[:, 5], [1, 0, 1, 0])


def test_a_known_target_weighs_more_where_few_are_known_and_a_missing_one_nothing():
    weights = learnt().encode(Y, "float64")[:, 6:]
    assert_array_equal(weights > 0, ~np.isnan(Y[:, [0, 1, 3, 2]]))
    assert_allclose(weights.sum(0), 1)  # of 4 rows, by 4 tasks


def test_class_weights_are_of_known_labels():
    specs = (SPECS[0], TaskSpec("flag", np.array(["n", "y"]), "float64", "log_loss",
                                class_weight="balanced"))  # fmt: skip
    targets = several(specs=specs).learn(Y[:, [0, 2]], None, None)
    weights = targets.encode(Y[:, [0, 2]], "float64")[:, -1]
    assert_allclose(weights / weights[1], [0.5, 1, 0.5, 0])


def test_sample_weights_decide_centres_and_shares():
    targets = several().learn(Y, np.array([3.0, 1.0, 1.0, 0.5]), None)
    size = targets.parts[1].targets
    assert_allclose(size.center, np.average([10, 30, 20], weights=[3, 1, 0.5]))
    assert_allclose(targets.factors[1], 5.5 / 4.5 / 4)


def test_equal_rows_have_equal_codes_and_a_missing_target_equals_no_number():
    codes = learnt().codes(np.array([[NAN, 1.0], [NAN, 1.0], [0.0, 1.0]]))
    assert_array_equal(codes[0], codes[1])
    assert (codes[0] != codes[2]).any()


def test_learnt_weights_are_outputs_without_connections():
    targets = learnt("uncertainty")
    assert (targets.n_outputs, targets.n_predicted) == (10, 6)
    module = torch.nn.Sequential()
    module.output = torch.nn.Linear(5, 10)
    mask = several("uncertainty").separated(module, targets)
    assert mask.keys() == {"output.weight"}
    assert_array_equal(mask["output.weight"].sum(1), [5] * 6 + [0] * 4)
    assert not module.output.weight[6:].any()


def test_without_heads_and_learnt_weights_nothing_is_masked():
    assert several().separated(torch.nn.Linear(2, 6), learnt()) is None
