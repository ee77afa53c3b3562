"""Trial runs of a user's module: errors, random draws, whether it can be stacked."""

import copy
import dataclasses
import threading
import warnings
from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Batch, Rows
from sklearn_deep.exceptions import TrainingWarning
from sklearn_deep.nn._dropout import set_source
from sklearn_deep.nn._randomness import RedirectRandomness, install_generator
from sklearn_deep.nn._user_module import fingerprint
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.job._seeds import generator
from sklearn_deep.training.step._flat import FlatParameters
from sklearn_deep.training.step._random_bits import RandomBits
from sklearn_deep.training.step._step import SingleStep, StackedStep
from sklearn_deep.training.step._vmapped import vmapped_forward


def first_rows(rows: Rows, n: int) -> Batch:
    """The first rows, on the device."""
    n = min(n, len(rows))
    where = torch.arange(n) if rows.index is None else rows.index.cpu()
    x = rows.x[where[:n] if isinstance(rows.x, Tensor) else where[:n].numpy()]
    weight = None if rows.weight is None else rows.weight[:n]
    return Rows(x, rows.y[:n], weight).to_device().all()


def try_out(job: TrainJob, batch: Batch, name: str) -> bool:
    """Run a module on some rows, and prepare it for training.

    Lazy layers get their initial values here. A module that draws random numbers in
    training gets the fit's generator.

    Returns
    -------
    bool
        Whether its outputs are a function of its tensors and the rows alone.

    Raises
    ------
    TypeError, ValueError
        Where it cannot be trained on such rows; the message names it.

    Warns
    -----
    TrainingWarning
        Where a classifier's outputs are probabilities already.
    """
    owner = f"The module {name} of {job.owner}"
    module = job.module.eval()
    if any(map(nn.parameter.is_lazy, module.parameters())):
        with torch.no_grad(), RedirectRandomness(generator(job.seed, "weights", 1)):
            _forward(owner, module, batch.x)
    own = RedirectRandomness(generator(job.seed, "masks"))
    with torch.no_grad(), own:
        _check_output(owner, _forward(owner, module, batch.x), batch, job.n_outputs)
    if own.drew:
        raise ValueError(
            f"{owner} draws random numbers in evaluation mode: its predictions would"
            " differ from call to call. Draw where self.training is True only."
        )
    before = fingerprint(module)
    twin = copy.deepcopy(module).train()
    set_source(twin, RandomBits([job.seed], batch.x.device))
    with own:
        raw = _forward(owner, twin, batch.x)
    _check_output(owner, raw, batch, job.n_outputs)
    if not raw.requires_grad:
        raise ValueError(
            f"{owner} gives outputs that do not depend on its parameters. Look for"
            " detach(), no_grad() or .data in its forward."
        )
    _warn_of_probabilities(owner, raw, job)
    if own.drew:
        install_generator(module)
    return not own.drew and before is not None and fingerprint(twin.eval()) == before


def _forward(owner: str, module: nn.Module, x: Tensor) -> Any:
    try:
        return module(x)
    except Exception as error:
        mend = ""
        if x.dtype == torch.float64 and "dtype" in str(error).lower():
            mend = (
                " X has float64, and so has the network; dtype='float32' changes both."
            )
        raise ValueError(
            f"{owner} fails on rows of shape {tuple(x.shape)} and dtype"
            f" {str(x.dtype)[6:]}: {type(error).__name__}: {error}{mend}"
        ) from error


def _check_output(owner: str, raw: Any, batch: Batch, n_outputs: int) -> None:
    if not isinstance(raw, Tensor):
        inside = ""
        if isinstance(raw, (tuple, list)):
            inside = (
                f" of {', '.join(type(item).__name__ for item in raw) or 'nothing'}"
            )
        raise TypeError(
            f"{owner} must give one tensor of shape (n_rows, {n_outputs}); its forward"
            f" gave a {type(raw).__name__}{inside}. Return the raw outputs alone."
        )
    wanted = (len(batch), n_outputs)
    if tuple(raw.shape) == wanted and raw.is_floating_point():
        return
    mend = (
        "Let it take n_outputs as an argument: it is 1 for two classes (one logit), the"
        " number of classes for more, and the number of targets for regression (twice"
        " that for loss='gaussian', times the quantiles for several of them)."
    )
    if n_outputs == 1 and tuple(raw.shape) == wanted[:1]:
        mend = "Leave the last axis where it is: do not squeeze."
    raise ValueError(
        f"{owner} must give floats of shape (n_rows, {n_outputs}); for {len(batch)} rows"
        f" its forward gave {str(raw.dtype)[6:]} of shape {tuple(raw.shape)}. {mend}"
    )


# Nodes of torch's autograd whose outputs are no logits for a kind of loss, and their
# functions. log_softmax before a softmax loss is harmless.
_LINKS = {
    "softmax": {
        "SoftmaxBackward0": "softmax",
        "SigmoidBackward0": "sigmoid",
        "HardsigmoidBackward0": "hardsigmoid",
    },
    "sigmoid": {
        "SoftmaxBackward0": "softmax",
        "SigmoidBackward0": "sigmoid",
        "HardsigmoidBackward0": "hardsigmoid",
        "LogSoftmaxBackward0": "log_softmax",
        "LogSigmoidBackward0": "logsigmoid",
    },
}
# Operations that hardly change values, by prefixes of the names of their autograd nodes.
_PASSING = (
    "Alias", "Clamp", "Clone", "Expand", "Permute", "Reshape", "Select", "Slice",
    "Squeeze", "TBackward", "ToCopy", "Transpose", "Unsafe", "Unsqueeze", "View",
)  # fmt: skip


def _warn_of_probabilities(owner: str, raw: Tensor, job: TrainJob) -> None:
    """Warn of a classifier whose module ends in the function that the loss applies."""
    if job.loss.kind == "real" or (job.state is not None and job.state.epoch):
        return
    last = _LINKS[job.loss.kind].get(_last_node(raw))
    if last is None and job.loss.kind == "softmax" and _are_shares(raw.detach()):
        last = "softmax"
    if last is None:
        return
    warnings.warn(
        f"{owner} ends in a {last}, but the loss itself applies the {job.loss.kind} to"
        " raw outputs (logits). Through both, probabilities cannot come near 0 and 1,"
        f" and the training is poor. Remove the {last} from the module; predict_proba"
        " gives probabilities all the same.",
        TrainingWarning,
        stacklevel=2,
    )


def _last_node(raw: Tensor) -> str:
    """Name the last operation before those that only reshape values."""
    node: Any = raw.grad_fn
    while node is not None and node.name().startswith(_PASSING):
        node = node.next_functions[0][0]
    return "" if node is None else node.name()


def _are_shares(raw: Tensor) -> bool:
    """Tell whether every row is non-negative and sums to 1."""
    off = (raw.sum(-1) - 1).abs().max()
    return bool((raw.min() >= 0) & (off < 1e-4))


# A cache: whether modules of one kind can be stacked under vmap. The check costs some
# steps, and a grid search has many such networks.
_known: dict[Hashable, bool] = {}
_MOST_KNOWN = 256
_one_at_a_time = threading.Lock()


def stackable(job: TrainJob, batch: Batch, kind: Hashable) -> bool:
    """Tell whether networks like this one can be trained as one, and come out the same.

    Two of them take a step alone and stacked. Modules that ``vmap`` refuses
    (data-dependent control flow, some operations), runs slowly or computes differently
    are not stacked.
    """
    key = kind, job.loss.name, job.loss.kind, batch.x.dtype, tuple(batch.x.shape[1:])
    with _one_at_a_time:
        if key not in _known:
            if len(_known) >= _MOST_KNOWN:
                _known.clear()
            with warnings.catch_warnings():
                # vmap warns so where it has no batching rule.
                warnings.filterwarnings("error", message="There is a performance drop")
                try:
                    _known[key] = _same_both_ways(job, batch)
                except Exception:  # whatever it is, training alone does not raise it
                    _known[key] = False
        return _known[key]


def _same_both_ways(job: TrainJob, batch: Batch) -> bool:
    modules = [copy.deepcopy(job.module).train() for _ in range(3)]
    jobs = [dataclasses.replace(job, module=m, state=None) for m in modules]
    alone = SingleStep(jobs[0])
    set_source(alone.module, RandomBits([job.seed], batch.x.device))
    _, raw = alone.gradient(batch)
    flat = FlatParameters(modules[1:], stacked=True)
    steps = StackedStep(flat, jobs[1:], [], slice(0, 2))
    masks = RandomBits([job.seed] * 2, batch.x.device)
    masks.nets = slice(0, 2)
    set_source(steps.module, masks)
    weight = None if batch.weight is None else torch.stack([batch.weight] * 2)
    both = Batch(torch.stack([batch.x] * 2), torch.stack([batch.y] * 2), weight)
    _, raws = steps.gradient(both)
    judged = modules[0].eval()(batch.x)
    judgeds = vmapped_forward(steps.module.eval(), both.x)
    pairs = [
        (raw, raws[1]),
        (alone.gradient_, steps.gradient_[1]),
        (judged, judgeds[1]),
        *zip(modules[0].buffers(), modules[2].buffers(), strict=True),
    ]
    return all(_close(a.detach(), b.detach()) for a, b in pairs)


def _close(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or not a.is_floating_point():
        return torch.equal(a, b)
    scale = a.abs().max() if a.numel() else a.new_zeros(())
    return bool(((a - b).abs() <= 1e3 * torch.finfo(a.dtype).eps * scale).all())
