"""The recurrent ONNX operators: LSTM, GRU and RNN.

Plain ones are computed by torch's own kernels, with the blocks of gates in torch's order;
those that torch does not have (other activations, peepholes, rows of unequal length, a
GRU that resets before the product) step by step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_deep.transfer.conversion._elementwise import Run
from sklearn_deep.transfer.conversion._graph import Step

State = tuple[Tensor, ...]

# Blocks of gates in torch's order: ONNX has iofc for ifgo, zrh for rzn.
_ORDERS = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
_USUAL = {
    "LSTM": ["Sigmoid", "Tanh", "Tanh"],
    "GRU": ["Sigmoid", "Tanh"],
    "RNN": ["Tanh"],
}
_KERNELS: dict[str, Callable[..., Any]] = {
    "LSTM": torch.lstm,
    "GRU": torch.gru,
    "Tanh": torch.rnn_tanh,
    "Relu": torch.rnn_relu,
}
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "hardsigmoid": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "tanh": torch.tanh,
}


def _recurrent(step: Step, x: Tensor, *rest: Tensor | None) -> tuple[Tensor, ...]:
    """All steps (t, directions, n, hidden), and the last states (directions, n, hidden)."""
    given: list[Any] = [*rest, *[None] * (7 - len(rest))]
    weight, recurrent, bias, lengths, *states = given
    batch_first = bool(step.attributes.get("layout"))
    if batch_first:
        x, states = x.transpose(0, 1), [_swapped(s) for s in states]
    if lengths is not None and bool((lengths == len(x)).all()):
        lengths = None
    if bias is None:
        bias = weight.new_zeros(len(weight), 2 * weight.shape[1])
    begin = _begin(step, x, recurrent, states)
    if _has_kernel(step, lengths, states):
        out, last = _by_kernel(step, x, weight, recurrent, bias, begin)
    else:
        peephole = states[2] if step.op == "LSTM" else None
        cells = _cells(step, weight, recurrent, bias, peephole)
        out, last = _by_steps(step, x, lengths, cells, begin)
    if batch_first:
        return out.permute(2, 0, 1, 3), *(s.transpose(0, 1) for s in last)
    return out, *last


def _swapped(state: Tensor | None) -> Tensor | None:
    return None if state is None else state.transpose(0, 1)


def _begin(
    step: Step, x: Tensor, recurrent: Tensor, states: Sequence[Tensor | None]
) -> State:
    """The states before the first step, (directions, n, hidden) each."""
    shape = len(recurrent), x.shape[1], recurrent.shape[2]
    given = states[: 2 if step.op == "LSTM" else 1]
    return tuple(x.new_zeros(shape) if s is None else s.expand(shape) for s in given)


def _names(step: Step) -> list[str]:
    given = step.attributes.get("activations") or []
    n = len(_USUAL[step.op])
    return list(given[:n]) or _USUAL[step.op]


def _has_kernel(
    step: Step, lengths: Tensor | None, states: Sequence[Tensor | None]
) -> bool:
    a, usual = step.attributes, _USUAL[step.op]
    given = [name.lower() for name in a.get("activations") or usual]
    each = [given[i : i + len(usual)] for i in range(0, len(given), len(usual))]
    wanted = [["tanh"], ["relu"]] if step.op == "RNN" else [[n.lower() for n in usual]]
    return (
        lengths is None
        and not a.get("clip")
        and not a.get("input_forget")
        and all(names == each[0] for names in each)
        and each[0] in wanted
        and (step.op != "GRU" or bool(a.get("linear_before_reset")))
        and (step.op != "LSTM" or states[2] is None)
    )


def _in_order(op: str, blocks: Tensor) -> Tensor:
    """Blocks of gates (gates * hidden, ...) in torch's order."""
    order = _ORDERS[op]
    parts = blocks.chunk(len(order))
    return torch.cat([parts[i] for i in order])


def _by_kernel(
    step: Step,
    x: Tensor,
    weight: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    begin: State,
) -> tuple[Tensor, State]:
    flat = [
        _in_order(step.op, part)
        for w, r, b in zip(weight, recurrent, bias, strict=True)
        for part in (w, r, *b.chunk(2))
    ]
    kernel = _KERNELS[_names(step)[0].title() if step.op == "RNN" else step.op]
    backwards = step.attributes.get("direction") == "reverse"
    x = x.flip(0) if backwards else x
    first = tuple(s.contiguous() for s in begin)
    given: Any = first if step.op == "LSTM" else first[0]
    both = len(weight) == 2
    out, *last = kernel(x, given, flat, True, 1, 0.0, False, both, False)
    out = out.unflatten(2, (len(weight), -1)).transpose(1, 2)
    return out.flip(0) if backwards else out, tuple(last)


def _cells(
    step: Step,
    weight: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    peephole: Tensor | None,
) -> list[Callable[[Tensor, State], State]]:
    """One function per direction: a step's input and the state before it."""
    n, cells = len(_USUAL[step.op]), []
    names = step.attributes.get("activations") or _USUAL[step.op] * len(weight)
    for i in range(len(weight)):
        chosen = [_ACTIVATIONS[name.lower()] for name in names[i * n : i * n + n]]
        p = None if peephole is None else peephole[i]
        make = _CELLS[step.op]
        cells.append(make(step, weight[i], recurrent[i], bias[i].chunk(2), p, chosen))
    return cells


def _limited(step: Step, x: Tensor) -> Tensor:
    clip = step.attributes.get("clip")
    return x.clamp(-clip, clip) if clip else x


def _lstm_cell(
    step: Step, w: Tensor, r: Tensor, b: Any, p: Any, functions: Any
) -> Callable[[Tensor, State], State]:
    gate, candidate, shown = functions
    p_i, p_o, p_f = (0.0, 0.0, 0.0) if p is None else p.chunk(3)

    def cell(x: Tensor, state: State) -> State:
        h, c = state
        i, o, f, new = (x @ w.t() + h @ r.t() + b[0] + b[1]).chunk(4, -1)
        i = gate(_limited(step, i + p_i * c))
        f = (
            1 - i
            if step.attributes.get("input_forget")
            else gate(_limited(step, f + p_f * c))
        )
        c = f * c + i * candidate(_limited(step, new))
        return gate(_limited(step, o + p_o * c)) * shown(c), c

    return cell


def _gru_cell(
    step: Step, w: Tensor, r: Tensor, b: Any, p: Any, functions: Any
) -> Callable[[Tensor, State], State]:
    gate, candidate = functions
    r_gates, r_new = r[: len(r) // 3 * 2], r[len(r) // 3 * 2 :]
    b_gates, b_new = b[1][: len(r_gates)], b[1][len(r_gates) :]

    def cell(x: Tensor, state: State) -> State:
        (h,) = state
        inner = x @ w.t() + b[0]
        z, reset = _limited(
            step, inner[:, : len(r_gates)] + h @ r_gates.t() + b_gates
        ).chunk(2, -1)
        z, reset = gate(z), gate(reset)
        if step.attributes.get("linear_before_reset"):
            old = reset * (h @ r_new.t() + b_new)
        else:
            old = (reset * h) @ r_new.t() + b_new
        new = candidate(_limited(step, inner[:, len(r_gates) :] + old))
        return ((1 - z) * new + z * h,)

    return cell


def _rnn_cell(
    step: Step, w: Tensor, r: Tensor, b: Any, p: Any, functions: Any
) -> Callable[[Tensor, State], State]:
    (function,) = functions

    def cell(x: Tensor, state: State) -> State:
        total = x @ w.t() + state[0] @ r.t() + b[0] + b[1]
        return (function(_limited(step, total)),)

    return cell


_CELLS: dict[str, Callable[..., Callable[[Tensor, State], State]]] = {
    "GRU": _gru_cell,
    "LSTM": _lstm_cell,
    "RNN": _rnn_cell,
}


def _by_steps(
    step: Step,
    x: Tensor,
    lengths: Tensor | None,
    cells: Sequence[Callable[[Tensor, State], State]],
    begin: State,
) -> tuple[Tensor, State]:
    """Both directions step by step; steps behind the end of a row change nothing."""
    direction = step.attributes.get("direction", "forward")
    outs, lasts = [], []
    for i, cell in enumerate(cells):
        backwards = direction == "reverse" or i == 1
        out, last = _one_way(x, lengths, cell, tuple(s[i] for s in begin), backwards)
        outs.append(out)
        lasts.append(last)
    last = tuple(torch.stack(states) for states in zip(*lasts, strict=True))
    return torch.stack(outs, 1), last


def _one_way(
    x: Tensor,
    lengths: Tensor | None,
    cell: Callable[[Tensor, State], State],
    state: State,
    backwards: bool,
) -> tuple[Tensor, State]:
    order = range(len(x))
    outs = [x.new_zeros(state[0].shape)] * len(x)
    for t in reversed(order) if backwards else order:
        new = cell(x[t], state)
        if lengths is None:
            state, outs[t] = new, new[0]
        else:
            there = (lengths > t)[:, None]
            state = tuple(
                torch.where(there, n, s) for n, s in zip(new, state, strict=True)
            )
            outs[t] = torch.where(there, new[0], torch.zeros_like(new[0]))
    return torch.stack(outs), state


RECURRENT: dict[str, Run] = dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent)
