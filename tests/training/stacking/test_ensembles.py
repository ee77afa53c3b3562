"""The networks of an ensemble: trained at once, each as if it were alone."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from sklearn_deep import TrainingDivergedError
from sklearn_deep.data._batches import Rows
from sklearn_deep.data._folds import fold_numbers
from sklearn_deep.nn._initializers import Initialization
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._tabular import drawn_ensemble
from sklearn_deep.training._train import train
from sklearn_deep.training.job._ensemble import ensemble_networks
from sklearn_deep.training.job._job import OptimizerSpec, OptimizerState, TrainJob
from sklearn_deep.training.job._schedules import ScheduleSpec
from sklearn_deep.training.job._seeds import generator, network_seed
from sklearn_deep.training.job._stopping import StoppingSpec
from sklearn_deep.training.loop._loop import train_alone
from sklearn_deep.training.loop._run import Watcher
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import (
    plan_units,
    reason_not_stackable,
    stack_key,
)
from sklearn_deep.training.stacking._stack import train_by_itself, train_stack

N_ROWS, N_NETWORKS = 61, 3


def make_rows(n_rows=N_ROWS):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (n_rows, 1))
    x = np.concatenate([rng.normal(size=(n_rows, 3)), codes], 1)
    y = x[:, :1] ** 2 + (codes == 2) + 0.3 * rng.normal(size=(n_rows, 1))
    return Rows(torch.from_numpy(x), torch.from_numpy(y), None)


def make_module(seed):
    architecture = {
        "n_networks": N_NETWORKS,
        "kind": "real",
        "n_numeric": 2,
        "n_plain": 1,
        "cardinalities": (4,),
        "n_outputs": 1,
        "numeric_embedding": "periodic",
        "category_embedding": 2,
        "hidden_layer_sizes": (6, 5),
        "activation": "relu",
        "activation_params": {},
        "dropout": (0.2, 0.2),
        "normalization": None,
        "residual": False,
    }
    how = Initialization.make("Net", "auto", None, "zeros", "relu", None)
    draws = [generator(network_seed(seed, k), "weights") for k in range(N_NETWORKS)]
    module = drawn_ensemble(architecture, how, draws, make_rows().x)
    return module.double()


def make_job(seed=0, folds=True, max_epochs=12, **changed):
    module, rows = make_module(seed), make_rows()
    numbers = fold_numbers(N_ROWS, 4, seed) if folds else None
    optimizer = {"name": "adamw", "learning_rate": 0.05, **changed.pop("optimizer", {})}
    job = TrainJob(
        owner="Net",
        module=module,
        rows=rows,
        loss=Loss.make("Net", "squared_error", "real", None),
        optimizer=OptimizerSpec(**optimizer),
        schedule=ScheduleSpec.make("Net", "cosine", None, 0, max_epochs),
        stopping=StoppingSpec(max_epochs, restore_best=True, on_validation=folds),
        penalties={},
        batch_size=16,
        seed=seed,
        architecture_key="ensemble",
        networks=ensemble_networks(module.networks, rows, seed, numbers),
    )
    return dataclasses.replace(job, **changed)


FULL = {"weight_decay": 0.02, "layer_rates": "fan_in", "averaging": 0.7}


def assert_same_module(one, other):
    for (name, a), b in zip(one.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8, msg=name)


@pytest.mark.parametrize("optimizer", [{}, FULL])
def test_each_network_is_as_if_it_were_trained_alone(optimizer):
    job = make_job(folds=False, optimizer=optimizer)
    each = copy.deepcopy(job).each_network()
    result = train(job)
    assert result.module is job.module
    alone = [train_alone(own) for own in each]
    for network, one in zip(result.module.networks, alone, strict=True):
        assert_same_module(network, one.module)
    losses = [[row["train_loss"] for row in one.history] for one in alone]
    assert [row["train_loss"] for row in result.history] == pytest.approx(
        np.mean(losses, 0)
    )


@pytest.mark.parametrize("optimizer", [{}, FULL])
@pytest.mark.parametrize("folds", [False, True])
def test_ensembles_are_the_same_in_a_stack(folds, optimizer):
    """Those that end early leave the others as they are."""

    def jobs():
        return [make_job(k, folds, 6 + 4 * k, optimizer=optimizer) for k in range(3)]

    members = [Member(job) for job in jobs()]
    assert len({stack_key(member.job) for member in members}) == 1
    train_stack(members)
    for member, job in zip(members, jobs(), strict=True):
        alone = train_by_itself(job)
        assert alone.best_epoch == member.result.best_epoch
        assert_same_module(alone.module, member.result.module)
        for one, other in zip(alone.history, member.result.history, strict=True):
            for name in ("train_loss", "valid_loss", "valid_score", "learning_rate"):
                assert one[name] == pytest.approx(other[name], nan_ok=True)


def test_small_ensembles_are_planned_into_a_stack():
    members = [Member(make_job(k)) for k in range(4)]
    assert [reason_not_stackable(member) for member in members] == [None] * 4
    assert [len(unit.members) for unit in plan_units(members, 1)] == [4]


class Records(Watcher):
    """Keeps the module of every epoch."""

    def __init__(self):
        self.modules = []

    def epoch_end(self, run, row):
        self.modules.append(copy.deepcopy(run.job.module))
        return False


def test_all_networks_have_the_weights_of_the_epoch_with_the_lowest_joint_loss():
    optimizer = {**FULL, "learning_rate": 0.5}
    job, records = make_job(max_epochs=40, optimizer=optimizer), Records()
    left_out = [network.left_out for network in job.networks]
    result = train(job, [records])
    losses = []
    for module in records.modules:
        errors = [
            (network.eval()(rows.all().x) - rows.y).square()
            for network, rows in zip(module.networks, left_out, strict=True)
        ]
        losses.append(torch.cat(errors).mean().item())
    assert [row["valid_loss"] for row in result.history] == pytest.approx(losses)
    assert result.best_epoch == 1 + int(np.argmin(losses)) < 40
    assert_same_module(result.module, records.modules[result.best_epoch - 1].eval())


def test_validation_rows_of_the_job_judge_the_whole_ensemble():
    rows = make_rows(20)
    job = make_job(folds=False)
    stopping = dataclasses.replace(job.stopping, on_validation=True, restore_best=False)
    job = dataclasses.replace(job, validation=rows, stopping=stopping)
    result = train(job)
    with torch.no_grad():
        loss = float((result.module(rows.x) - rows.y).square().mean())
    assert result.history[-1]["valid_loss"] == pytest.approx(loss)


def test_rows_of_a_fold_are_left_out_by_one_network_alone():
    numbers = fold_numbers(N_ROWS, 4, seed=0)
    networks = make_job().networks
    for k, network in enumerate(networks):
        assert network.left_out.index.tolist() == np.flatnonzero(numbers == k).tolist()
        assert network.rows.index.tolist() == np.flatnonzero(numbers != k).tolist()
    assert len({network.seed for network in networks}) == N_NETWORKS


@pytest.mark.parametrize("optimizer", [{}, FULL])
def test_two_short_calls_are_one_long_one(optimizer):
    """Of ``partial_fit``: the optimizer and the averages go on where they were."""
    options = {"folds": False, "optimizer": optimizer}
    constant = ScheduleSpec.make("Net", "constant", None, 0, 6)
    long = make_job(**options, schedule=constant, stopping=StoppingSpec(6))
    expected = train(long).module
    module, state = make_module(0), OptimizerState()
    for _ in range(2):
        job = make_job(**options, schedule=constant, stopping=StoppingSpec(3))
        networks = ensemble_networks(module.networks, job.rows, 0)
        state = train(
            dataclasses.replace(job, module=module, networks=networks, state=state)
        ).state
    assert_same_module(module, expected)
    assert state.epoch == 6
    assert state.slots[0].shape[0] == N_NETWORKS


def test_pruned_weights_stay_zero():
    job = make_job()
    masks = {}
    for name, p in job.module.named_parameters():
        if name.endswith("layers.0.weight"):
            masks[name] = (torch.arange(p.numel()).view_as(p) % 3 > 0).to(p)
            p.data.mul_(masks[name])
    module = train(dataclasses.replace(job, weight_mask=masks)).module
    assert len(masks) == 2 * N_NETWORKS
    for name, mask in masks.items():
        weight = module.get_parameter(name)
        assert (weight[mask == 0] == 0).all()
        assert (weight[mask == 1] != 0).all()


class CountsBatches(Watcher):
    """Counts the calls for each batch; interrupts training in one."""

    per_batch = True

    def __init__(self, interrupt_at=None):
        self.begun = self.ended = 0
        self._at = interrupt_at

    def batch_begin(self, run, batch):
        self.begun += 1

    def batch_end(self, run, batch, loss, raw):
        self.ended += 1
        assert raw.shape[:2] == (N_NETWORKS, len(batch.y[0]))
        if self.ended == self._at:
            run.interrupted = True

    def epoch_end(self, run, row):
        return run.interrupted


def test_callbacks_see_every_batch_of_an_ensemble():
    watcher = CountsBatches()
    train(make_job(folds=False, max_epochs=2), [watcher])
    assert watcher.begun == watcher.ended == 2 * 4


def test_an_interrupted_epoch_counts_its_own_rows():
    result = train(make_job(folds=False), [CountsBatches(interrupt_at=2)])
    assert len(result.history) == 1
    assert result.stop_reason == "callback"
    assert 0.1 < result.history[0]["train_loss"] < 10


def test_a_time_limit_ends_an_ensemble():
    job = make_job(max_epochs=100_000)
    stopping = dataclasses.replace(job.stopping, time_limit=0.3)
    result = train(dataclasses.replace(job, stopping=stopping))
    assert result.stop_reason == "time_limit"


def test_a_network_that_diverges_is_an_error():
    job = make_job()
    with torch.no_grad():
        job.networks[1].module.output.bias.fill_(torch.inf)
    with pytest.raises(TrainingDivergedError):
        train(job)


def test_all_parameters_have_memory_of_their_own_afterwards():
    for p in train(make_job()).module.parameters():
        assert p.untyped_storage().nbytes() == p.numel() * 8
        assert p.grad is None
