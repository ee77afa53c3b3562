"""The fingerprint of a job: equal for equal jobs, other for any change."""

import dataclasses
import os
import subprocess
import sys
import threading
from collections import OrderedDict, defaultdict
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklearn_deep import (
    Checkpoint,
    GaussianNoise,
    MLPClassifier,
    ModuleClassifier,
    RNNClassifier,
    TabularClassifier,
)
from sklearn_deep.data._batches import Rows
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training._train import train
from sklearn_deep.training.checkpoints import _contents
from sklearn_deep.training.checkpoints._contents import Contents
from sklearn_deep.training.checkpoints._fingerprint import fingerprint
from sklearn_deep.training.job._job import (
    JobNetwork,
    OptimizerSpec,
    OptimizerState,
    Proximal,
    TrainJob,
)
from sklearn_deep.training.job._schedules import ScheduleSpec
from sklearn_deep.training.job._stopping import StoppingSpec

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(90, 4)), rng.integers(0, 3, 90)
DEFAULTS = {"hidden_layer_sizes": (5,), "max_epochs": 3, "random_state": 0}


def job_of(network, X=X, y=Y, **given):
    return prepare(network, FitArguments(X, y, **given)).job


def of(X=X, y=Y, sample_weight=None, **params):
    """Fingerprint of the job of an estimator with some parameters."""
    network = MLPClassifier(**{**DEFAULTS, **params})
    return fingerprint(job_of(network, X, y, sample_weight=sample_weight))


def test_equal_jobs_have_one_fingerprint():
    assert of() == of(X.copy(), Y.tolist())


@pytest.mark.parametrize(
    "changed",
    [{"verbose": 1}, {"device": "cpu"}, {"callbacks": []}],
    ids=lambda changed: next(iter(changed)),
)
def test_what_changes_no_result_is_no_part_of_it(changed):
    assert of(**changed) == of()


@pytest.mark.parametrize(
    "changed",
    [
        {"random_state": 1},
        {"hidden_layer_sizes": (6,)},
        {"max_epochs": 4},
        {"dropout": 0.1},
        {"dropout": 0.3},
        {"learning_rate": 0.01},
        {"weight_decay": 0.5},
        {"l1": 0.5},
        {"l2": 0.5},
        {"early_stopping": True},
        {"early_stopping": True, "monitor": "accuracy"},
        {"early_stopping": True, "monitor": "f1_macro"},
        {"label_smoothing": 0.1},
        {"loss": "focal"},
        {"augmentation": GaussianNoise(0.1)},
        {"augmentation": GaussianNoise(0.2)},
        {"sample_weight": np.arange(1.0, 91.0)},
        {"X": X[::-1]},
        {"y": Y[::-1].copy()},
    ],
    ids=str,
)
def test_what_changes_the_result_changes_it(changed):
    found = of(**changed)
    assert found != of()
    assert found == of(**changed)


# A job with something in every field, and another value of each.
MODULE = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
ROWS = Rows(torch.rand(6, 4), torch.arange(6) % 3, None)
PART = ROWS.part(torch.tensor([0, 2, 4]))
SLOTS = OptimizerState([torch.ones(5)], 3, 1, torch.zeros(5))
LAYOUT = Layout((4,), (4,))
JOB = TrainJob(
    owner="Net",
    module=MODULE,
    rows=ROWS,
    loss=Loss.make("Net", "focal", "softmax", None),
    optimizer=OptimizerSpec("adamw", 0.1),
    schedule=ScheduleSpec.make("Net", "step", None, 0.0, 9),
    stopping=StoppingSpec(9, 5, 0.1, True, 100.0, True),
    penalties={"l1": 0.1, "l2": 0.2},
    batch_size=3,
    seed=0,
    validation=PART,
    monitor=partial(max, key=len),
    state=SLOTS,
    architecture_key=("a",),
    layout=LAYOUT,
    n_outputs=3,
    augmentation=(GaussianNoise(0.1),),
    weight_mask={"0.weight": torch.ones(3, 4)},
    networks=(JobNetwork(MODULE[0], 1, ROWS, PART),),
    checkpoint=Checkpoint("states"),
    frozen=frozenset({"0.weight"}),
    rates={"0.weight": 0.5},
    proximal=Proximal(0.1, {"0.weight": torch.ones(3, 4)}),
)
OTHER = {
    "owner": "Other",
    "module": nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)),
    "rows": PART,
    "loss": Loss.make("Net", "focal", "softmax", {"gamma": 2.5}),
    "optimizer": OptimizerSpec("adamw", 0.2),
    "schedule": ScheduleSpec.make("Net", "step", {"every": 3}, 0.0, 9),
    "stopping": StoppingSpec(8, 5, 0.1, True, 100.0, True),
    "penalties": {"l1": 0.1},
    "batch_size": 4,
    "seed": 1,
    "validation": None,
    "monitor": partial(max, key=str),
    "state": None,
    "layout": None,
    "n_outputs": 4,
    "augmentation": (),
    "weight_mask": {"0.weight": torch.zeros(3, 4)},
    "networks": (JobNetwork(MODULE[0], 1, ROWS, None),),
    "frozen": frozenset({"0.bias"}),
    "rates": {"0.weight": 0.6},
    "proximal": Proximal(0.1, {"0.weight": torch.zeros(3, 4)}),
}
SAME = {"architecture_key": None, "checkpoint": None, "n_ranks": 2}


def test_every_field_of_a_job_is_part_of_it_or_listed_as_no_part():
    assert {f.name for f in dataclasses.fields(TrainJob)} == {*OTHER, *SAME}


@pytest.mark.parametrize("name", OTHER)
def test_another_value_of_any_field_changes_it(name):
    changed = dataclasses.replace(JOB, **{name: OTHER[name]})
    assert fingerprint(changed) != fingerprint(JOB)


@pytest.mark.parametrize("name", SAME)
def test_fields_that_decide_nothing_do_not_change_it(name):
    changed = dataclasses.replace(JOB, **{name: SAME[name]})
    assert fingerprint(changed) == fingerprint(JOB)


def other_value(value):
    """A value of the same kind that is not equal."""
    if isinstance(value, dict):
        return {**value, "other": 1}
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 0.5
    if isinstance(value, str):
        return value + "_"
    if isinstance(value, torch.Tensor):
        return value + 1
    if isinstance(value, (list, tuple)):
        return type(value)([*value, 1])
    return "another"


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (field, part.name)
        for field in ("rows", "loss", "optimizer", "schedule", "stopping", "state")
        for part in dataclasses.fields(getattr(JOB, field))
    ],
)
def test_another_value_of_any_part_of_a_specification_changes_it(field, name):
    value = getattr(JOB, field)
    other = dataclasses.replace(value, **{name: other_value(getattr(value, name))})
    assert fingerprint(dataclasses.replace(JOB, **{field: other})) != fingerprint(JOB)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_single_bit_of_any_array_changes_it(data):
    kinds = {"x": ROWS.x, "y": ROWS.y, "weights": MODULE[0].weight.detach()}
    kinds |= {"running mean": MODULE[1].running_mean, "slots": SLOTS.slots[0]}
    array = data.draw(st.sampled_from(list(kinds.values()))).numpy()
    values = array.reshape(-1).view(np.uint8)
    place = data.draw(st.integers(0, len(values) - 1))
    bit = np.uint8(1 << data.draw(st.integers(0, 7)))
    before = fingerprint(JOB)
    values[place] ^= bit
    try:
        assert fingerprint(JOB) != before
    finally:
        values[place] ^= bit
    assert fingerprint(JOB) == before


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.binary(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def key_of(value):
    """The fingerprint of a job with this value among its parameters."""
    loss = dataclasses.replace(JOB.loss, params={"value": value})
    return fingerprint(dataclasses.replace(JOB, loss=loss))


def strict(value):
    """A text that is equal for values of equal types and values only."""
    if isinstance(value, dict):
        return f"{{{sorted((k, strict(v)) for k, v in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"{type(value)}{[strict(v) for v in value]}"
    return f"{type(value)}{value!r}"


@given(VALUES, VALUES)
@settings(max_examples=150, deadline=None)
def test_different_values_have_different_fingerprints(one, other):
    assert (key_of(one) == key_of(other)) == (strict(one) == strict(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a", "b", "c"}, {"c", "b", "a"}),
        ({"a": 1}, MappingProxyType({"a": 1})),
        ({"a": 1}, OrderedDict(a=1)),
        (0.1, np.float64(0.1)),
        (3, np.int32(3)),
        (True, np.bool_(True)),
        ("a", np.str_("a")),
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (sp.csr_array(np.eye(3)), sp.csc_array(np.eye(3))),
        (sp.csr_array(np.eye(3)), sp.coo_matrix(np.eye(3))),
        (torch.eye(3), torch.eye(3).to_sparse()),
        (np.array(["a", None], object), np.array(["a", None], object)),
        (partial(int, base=3), partial(int, base=3)),
        (Path("a"), Path("a")),
        (np.random.default_rng(3), np.random.default_rng(3)),
        (np.random.RandomState(3), np.random.RandomState(3)),
        (defaultdict(list, a=1), defaultdict(list, a=1)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_mean_the_same_have_one_fingerprint(one, other):
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), [1, 2]),
        ([1, [2]], [[1], 2]),
        (1, True),
        (1, 1.0),
        (1, "1"),
        (0.0, -0.0),
        (None, "None"),
        (b"a", "a"),
        (np.zeros(4), np.zeros((2, 2))),
        (np.zeros(4, np.float32), np.zeros(2, np.float64)),
        (torch.zeros(2, dtype=torch.float16), torch.zeros(2, dtype=torch.bfloat16)),
        (torch.zeros(2), np.zeros(2, np.float32)),
        (np.random.default_rng(3), np.random.default_rng(4)),
        (int, float),
        (len, max),
        (np.add, np.subtract),
        ([].append, [1].append),
        (partial(int, base=3), partial(int, base=4)),
        (sp.csr_array(np.eye(3)), sp.csr_array(2 * np.eye(3))),
        (nn.ReLU(), nn.Tanh()),
        (nn.Dropout(0.1), nn.Dropout(0.2)),
        (nn.LSTM(2, 3), nn.LSTM(2, 3)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_values_that_are_alike_have_different_fingerprints(one, other):
    assert key_of(one) != key_of(other)


def test_a_value_that_holds_itself_has_a_fingerprint():
    values = [1, 2]
    values.append(values)
    others = [1, 3]
    others.append(others)
    assert key_of(values) != key_of(others)


@pytest.mark.parametrize("value", [threading.Lock(), (i for i in range(3))])
def test_what_cannot_be_compared_between_processes_is_named(value):
    with pytest.raises(TypeError, match=f"{type(value).__name__} has no fingerprint"):
        key_of(value)


def test_parameters_that_are_shared_differ_from_equal_ones():
    shared = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    shared.load_state_dict(
        {k: torch.ones_like(v) for k, v in shared.state_dict().items()}
    )
    before = key_of(shared)
    shared[1].weight = shared[0].weight
    assert key_of(shared) != before


def test_a_layer_at_two_places_differs_from_one_at_one_place():
    layer = nn.Linear(2, 2)
    assert key_of(nn.Sequential(layer, layer)) != key_of(nn.Sequential(layer))


@pytest.mark.parametrize(
    "change",
    [
        lambda module: module.eval(),
        lambda module: module[0].weight.requires_grad_(False),
        lambda module: module[0].register_forward_hook(print),
        lambda module: module.append(nn.Identity()),
        lambda module: setattr(module[0], "scale", 2.0),
        lambda module: setattr(module[1], "momentum", 0.5),
    ],
)
def test_any_change_of_a_module_changes_it(change):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    before = key_of(module)
    change(module)
    assert key_of(module) != before


@pytest.mark.parametrize(
    "register", ["register_forward_hook", "register_forward_pre_hook"]
)
def test_another_hook_in_the_place_of_one_changes_it(register):
    torch.manual_seed(0)
    module = nn.Linear(4, 3)
    keys = set()
    for hook in (print, repr):
        handle = getattr(module, register)(hook)
        keys.add(key_of(module))
        handle.remove()
    assert len(keys) == 2


def test_hooks_of_two_kinds_are_told_apart():
    torch.manual_seed(0)
    one, other = nn.Linear(4, 3), nn.Linear(4, 3)
    other.load_state_dict(one.state_dict())
    one.register_forward_hook(print)
    other.register_forward_pre_hook(print)
    assert key_of(one) != key_of(other)


def test_training_does_not_change_the_classes_and_monitors_that_it_is_made_of():
    network = MLPClassifier(**DEFAULTS, early_stopping=True, monitor="f1_macro")
    one, other = job_of(network), job_of(network)
    before = fingerprint(one)
    train(one)
    trained = dataclasses.replace(one, module=other.module)
    assert fingerprint(trained) == before == fingerprint(other)


# Code of a user, and changes of it. The first line moves all others in the file.
SOURCE = """{first}
from torch import nn

FACTOR = {factor}

def helper(x):
    return x * {constant}

class Base(nn.Module):
    offset = {offset}

class Net(Base):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return helper(self.linear(x)) * FACTOR + self.offset {operator} 1

def make(rate={default}):
    def scaled(x):
        return x * rate
    return scaled

scaled = make()
squared = lambda x: x ** {exponent}
"""
CODE = {
    "first": "",
    "factor": "1.0",
    "constant": "2",
    "offset": "0.5",
    "operator": "+",
    "default": "3",
    "exponent": "2",
}


def of_code(name, **changed):
    space = {"__name__": "users_module"}
    exec(SOURCE.format(**{**CODE, **changed}), space)
    torch.manual_seed(0)
    value = space[name]
    return key_of(value() if name == "Net" else value)


@pytest.mark.parametrize("name", ["Net", "scaled", "squared"])
def test_the_place_of_code_in_a_file_does_not_change_it(name):
    assert of_code(name) == of_code(name, first="# a comment\n\n")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("Net", {"factor": "2.0"}),
        ("Net", {"constant": "3"}),
        ("Net", {"offset": "0.6"}),
        ("Net", {"operator": "-"}),
        ("scaled", {"default": "4"}),
        ("squared", {"exponent": "3"}),
    ],
)
def test_a_change_of_code_changes_it(name, changed):
    assert of_code(name, **changed) != of_code(name)


# A script whose fingerprints must not depend on the process. Sets and names of classes in
# __main__ are what would.
SCRIPT = """
import sys
from functools import partial
from pathlib import Path

import cloudpickle
import numpy as np
from torch import nn

from sklearn_deep import *
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.training.checkpoints._fingerprint import fingerprint

class Net(nn.Module):
    def __init__(self, n_features=6, n_outputs=1, names=frozenset("abcdefgh")):
        super().__init__()
        self.names, self.by_name = set(names), {name: 1 for name in names}
        self.linear = nn.Linear(n_features, n_outputs)

    def forward(self, x):
        return self.linear(x) * (1 if "a" in {"a", "b", "c"} else self.scale(x))

    @property
    def scale(self):
        return lambda x: x.mean()

class Offset(Augmentation):
    def __init__(self, size=0.1):
        self.size = size

    def augment(self, batch, generator):
        return batch.with_x(batch.x + self.size)

def balance(estimator, X, y):
    return np.mean(estimator.predict(X) == y)

rng = np.random.default_rng(0)
X, y = rng.normal(size=(80, 6)), np.arange(80) % 2
few = {"max_epochs": 2, "random_state": 0}
networks = [
    MLPClassifier((4,), augmentation=Offset(0.2), **few),
    MLPClassifier((4,), early_stopping=True, monitor=balance, **few),
    MLPClassifier((4,), early_stopping=True, monitor=partial(balance), **few),
    MLPRegressor((4,), **few),
    ModuleClassifier(Net, **few),
    ModuleClassifier(partial(Net, names=list("xyz")), **few),
    RNNClassifier(3, **few),
    CNNClassifier((2,), **few),
    TabularClassifier((4,), n_networks=2, **few),
]
shapes = {"RNNClassifier": (80, 3, 2), "CNNClassifier": (80, 2, 3, 1)}
for network in networks:
    rows = X.reshape(shapes.get(type(network).__name__, (80, 6)))
    for each in (network, cloudpickle.loads(cloudpickle.dumps(network))):
        print(fingerprint(prepare(each, FitArguments(rows, y)).job))
"""


def run_script(folder, hash_seed):
    (folder / "script.py").write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_other_processes_and_hash_seeds_give_the_same(tmp_path):
    runs = [run_script(tmp_path, hash_seed) for hash_seed in ("0", "1")]
    assert runs[0] == runs[1]
    assert runs[0][::2] == runs[0][1::2]  # a worker gets its network by cloudpickle
    assert len(set(runs[0])) == 9


class ShiftedNet(nn.Linear):
    """A module of the user that keeps a tensor in a plain attribute."""

    def __init__(self, n_features=4, n_outputs=3, shift=0.0):
        super().__init__(n_features, n_outputs)
        self.shift = torch.full((3,), shift)


def test_parameters_of_the_users_module_change_it():
    network = partial(ModuleClassifier, ShiftedNet, max_epochs=2, random_state=0)
    keys = [fingerprint(job_of(network(module__shift=shift))) for shift in (0.0, 0.1)]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    "network",
    [
        RNNClassifier(3, max_epochs=2, random_state=0),
        TabularClassifier((4,), n_networks=2),
    ],
    ids=lambda network: type(network).__name__,
)
def test_jobs_of_families_with_parts_of_their_own_have_one_fingerprint(network):
    rows = X.reshape(90, 2, 2) if isinstance(network, RNNClassifier) else X
    network.set_params(random_state=3)
    assert fingerprint(job_of(network, rows)) == fingerprint(job_of(network, rows))


@pytest.fixture
def digests(monkeypatch):
    """The arrays that are read."""
    seen, digest = [], _contents._digest
    monkeypatch.setattr(_contents, "_digest", lambda a: (seen.append(a), digest(a))[1])
    return seen


LARGE = np.random.default_rng(0).normal(size=(500_000,))


def test_a_large_array_is_read_once_a_search(digests):
    contents = Contents()
    threads = [threading.Thread(target=contents.of, args=(LARGE[:],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents.of(torch.from_numpy(LARGE)) == contents.of(LARGE)
    assert len(digests) == 2  # as an array, and as a tensor


def test_a_search_reads_an_array_again_that_was_changed_since_the_last_one():
    array = LARGE.copy()
    before = Contents().of(array)
    array[-1] += 1
    assert Contents().of(array) != before


def test_copies_of_folds_are_not_held_in_memory():
    contents = Contents()
    for _ in range(20):
        contents.of(LARGE.copy())
    assert len(contents._digests) == _contents._REMEMBERED


def test_pieces_of_large_arrays_are_told_apart_by_their_place():
    array = np.zeros(3 * _contents._PIECE, np.uint8)
    keys = set()
    for piece in range(3):
        array[piece * _contents._PIECE] = 1
        keys.add(Contents().of(array))
        array[piece * _contents._PIECE] = 0
    assert len(keys) == 3
