"""Planning of stacks: which jobs are trained together, and how many per stack."""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import scipy.sparse as sp
import torch
from torch import nn

from sklearn_deep.data._batches import torch_dtype
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._rows import mean_steps
from sklearn_deep.data._stacked_rows import sample
from sklearn_deep.training.job._devices import int_attribute
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.step._augmenting import mixes
from sklearn_deep.training.step._derived import is_plain

# The memory that a step of a stack touches should fit into a core's share of the cache:
# beyond it, another network costs more time than it saves.
_CACHE_BYTES = 4 << 20

# This many networks are stacked even if they touch more memory, since they share the
# fixed cost of each operation; up to a size of one network's step that fills a core by
# itself.
_NARROW = 5
_FILLING_BYTES = 3 << 20

# Under vmap a step has a fixed cost; on a CPU this many networks have to share it.
_VMAP_PAYS = 5

# vmap makes a grouped convolution of stacked ones. torch has no fast kernel for it on a
# CPU, and rounds it otherwise: only networks of a few channels would be faster stacked,
# and none would be the same to the last bit.
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)

# When a stack is split between cores, each part keeps at least this many networks;
# narrow stacks consist of large steps, which are worth a core each.
_WORTH_A_CORE = 4
_LARGE_STEPS = 8


# Why networks that could be stacked are not; the user guide explains each.
FILLS_A_CORE = "its steps fill a core: nothing to gain"
CONVOLUTIONS = "its convolutions are faster alone"
FILLS_THE_DEVICE = "two of its steps exceed the device's memory"
UNLIKE_OTHERS = "no other of its shape"
ODD_ONE = "the odd one of {}"
NOT_READY = "no other was ready"
TOO_FEW = "only {} of its shape: too few to gain"


@dataclass(frozen=True)
class TrainingUnit:
    """Members that are trained together; ``reason`` of a single one: why it is."""

    members: list[Member]
    reason: str | None = None


def full_width(member: Member) -> tuple[Hashable, int]:
    """Stack key of a job, and the number of networks in a full stack."""
    if reason_not_stackable(member) is not None:
        return None, 1
    return stack_key(member.job), max(1, stack_width(member.job))


def plan_units(
    members: Sequence[Member],
    cores: int,
    earlier: Counter[Hashable] | None = None,
    early: bool = False,
) -> list[TrainingUnit]:
    """Divide members into stacks and single networks.

    Parameters
    ----------
    members : sequence of Member
    cores : int
        Number of stacks that may train at a time.
    earlier : Counter or None
        Number of networks per stack key that this call has planned before; updated.
    early : bool
        Whether a stall forced planning before all tasks were ready.
    """
    earlier = Counter() if earlier is None else earlier
    units, groups = [], {}  # type: ignore[var-annotated]
    for member in members:
        reason = reason_not_stackable(member)
        if reason is None:
            groups.setdefault(stack_key(member.job), []).append(member)
        else:
            units.append(TrainingUnit([member], reason))
    for key, alike in groups.items():
        earlier[key] += len(alike)
        left_over = NOT_READY if early else _left_over(earlier[key])
        units += _stacks(alike, cores, left_over)
    # The longest first, so that cores end at about the same time.
    return sorted(units, key=lambda unit: -len(unit.members))


def reason_not_stackable(member: Member) -> str | None:
    """Say why a job cannot be stacked, or None."""
    job = member.job
    reasons = {
        "lbfgs": OPTIMIZERS[job.optimizer.name].update is None,
        "callbacks for every batch": any(w.per_batch for w in member.watchers),
        "time_limit": job.stopping.time_limit is not None,
        # Recurrent layers have no rule for vmap, and packed sequences no axis of
        # networks.
        "recurrent layers": any(
            isinstance(m, nn.RNNBase) for m in job.module.modules()
        ),
        "rows that come in chunks": job.rows.sample is not job.rows,
        "a network without a declared shape": job.architecture_key is None,
        "frozen parameters": not all(p.requires_grad for p in job.module.parameters()),
        "continued by itself": member.continues_stack is False,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def stack_key(job: TrainJob) -> Hashable:
    """What the jobs of a stack have in common; all else may differ."""
    return (
        job.architecture_key,
        # Augmented rows are floats, and mixed targets are no class codes.
        (bool(job.augmentation), mixes(job)),
        (job.optimizer.name, job.optimizer.layer_rates),
        (job.loss.name, job.loss.kind, tuple(sorted(job.loss.params.items()))),
        (job.frozen, _sorted_items(job.rates)),
        job.batch_size,
        (job.rows.device, torch_dtype(job.rows.x), tuple(job.rows.x.shape[1:])),
        (job.rows.y.dtype, job.rows.y.shape[1:]),
        job.validation is not None and isinstance(job.validation.x, Ragged),
    )


def _sorted_items(rates: Mapping[str, float] | None) -> tuple:
    return tuple(sorted((rates or {}).items()))


def _is_plain(job: TrainJob) -> bool:
    """Tell whether the gradient of a job is derived by hand."""
    return not job.frozen and is_plain(job.module)


def even_width(n_networks: int, widest: int, cores: int) -> int:
    """Width of stacks when this many networks are divided evenly."""
    return math.ceil(n_networks / _n_stacks(n_networks, widest, cores))


def _n_stacks(n_networks: int, widest: int, cores: int) -> int:
    n_stacks = math.ceil(n_networks / widest)
    # All cores are used, as long as stacks do not become too narrow.
    n_full = cores * math.ceil(n_stacks / cores)
    fewest = _WORTH_A_CORE if widest > _LARGE_STEPS else 1
    return n_full if n_networks >= n_full * fewest else n_stacks


def _left_over(n_alike: int) -> str:
    """Reason why a network is single, by the number with its key in the call."""
    return UNLIKE_OTHERS if n_alike == 1 else ODD_ONE.format(n_alike)


def _stacks(members: list[Member], cores: int, left_over: str) -> list[TrainingUnit]:
    """Divide jobs of one stack key into stacks of about the same width.

    Parameters
    ----------
    members : list of Member
    cores : int
    left_over : str
        Reason of a network that remains single.
    """
    job = members[0].job
    widest, narrow = _limit(job)
    if widest < 2:
        return [TrainingUnit([member], narrow) for member in members]
    n_stacks = _n_stacks(len(members), widest, cores)
    if len(members) == 1:
        return [TrainingUnit(members, left_over)]
    on_cpu = job.rows.device.type == "cpu"
    # A stack that was interrupted may have few members left.
    fresh = not any(member.continues_stack for member in members)
    few = fresh and len(members) < n_stacks * _VMAP_PAYS
    if on_cpu and few and not _is_plain(job):
        reason = TOO_FEW.format(len(members))
        return [TrainingUnit([member], reason) for member in members]
    # Sorted by number of rows, adjacent networks have batches of equal size to the
    # last. Those of one fold and one seed use the same rows at the same time and share
    # them.
    members = sorted(members, key=_likeness)
    bounds = [len(members) * i // n_stacks for i in range(n_stacks + 1)]
    return [
        TrainingUnit(members[a:b], None if b - a > 1 else left_over)
        for a, b in pairwise(bounds)
    ]


def _likeness(member: Member) -> tuple:
    """Sort key that makes jobs of one fold and one seed adjacent."""
    rows, seed = member.job.rows, member.job.seed
    # Folds may be row numbers into one array.
    of_fold = () if rows.index is None else sample(rows.index)
    return -len(rows), sample(rows.x), of_fold, seed


def stack_width(job: TrainJob) -> int:
    """Best number of networks like this one per stack."""
    return _limit(job)[0]


def _limit(job: TrainJob) -> tuple[int, str]:
    """Largest width of a stack, and the reason where it is below 2."""
    device = job.rows.device
    if device.type == "cpu":
        if any(isinstance(m, _CONVOLUTIONS) for m in job.module.modules()):
            return 1, CONVOLUTIONS
        return _width_on_cpu(job), FILLS_A_CORE
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free // 2 // step_bytes(job)), FILLS_THE_DEVICE
    return 64, UNLIKE_OTHERS


def _width_on_cpu(job: TrainJob) -> int:
    size = step_bytes(job)
    width = int(_CACHE_BYTES // size)
    if _is_plain(job):
        return max(width, _NARROW) if size <= _FILLING_BYTES else 1
    return width if width >= _VMAP_PAYS else 1


def step_bytes(job: TrainJob) -> int:
    """Approximate memory that a step of one network touches."""
    x = job.rows.x
    size = torch_dtype(x).itemsize
    n_values, units = _sizes(job.module)
    n_slots = OPTIMIZERS[job.optimizer.name].n_slots
    # Weights, gradient, slots; inputs, and each layer's output forward and backward.
    width = round(mean_steps(x) * (math.prod(x.shape[1:]) + 3 * units))
    return size * (n_values * (2 + n_slots) + job.batch_size * width)


def held_bytes(job: TrainJob) -> int:
    """Approximate memory of a job in flight: its rows as given, and encoded."""
    x = job.rows.x
    own = x.data.nbytes + x.indices.nbytes if sp.issparse(x) else x.nbytes
    return 3 * own + 8 * 4 * _sizes(job.module)[0]


def _sizes(module: nn.Module) -> tuple[int, int]:
    """Number of values, and of units."""
    parameters = list(module.parameters())
    units = int_attribute(module, "units")
    if units is None:
        units = sum(p.shape[0] for p in parameters if p.ndim >= 2)
    return sum(p.numel() for p in parameters), units
