"""Time of a recurrent fit against a hand-written torch loop, and what padding costs.

Same sequences, packed batches, epochs, optimizer (Adam, 1e-3) and dtype, one thread, CPU
time.

    python benchmarks/rnn_step.py [--dtype float64] [--rounds 3]
"""

import argparse

import numpy as np
import torch
from _common import best_times, print_table, print_versions, verdict
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from sklearn_deep import RNNClassifier

N_CLASSES = 10
CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}

# cell, hidden units, channels (0: tokens), rows, shortest and longest length, batch size
SHAPES = [
    ("lstm", 64, 12, 300, 7, 29, 32),
    ("gru", 64, 12, 300, 7, 29, 32),
    ("rnn", 64, 12, 300, 7, 29, 32),
    ("lstm", 128, 0, 600, 5, 60, 64),
    ("gru", 32, 1, 600, 2, 20, 32),
]
EPOCHS = 2

# Lengths of the rows: a few are ten times as long as the others.
LONG, SHARE_LONG = 100, 0.05


def sequences(rng, lengths, channels, dtype):
    """Sequences of numbers, or of tokens where there are no channels."""
    if not channels:
        return [rng.integers(0, 50, n) for n in lengths]
    return [rng.normal(size=(n, channels)).astype(dtype) for n in lengths]


class Network(nn.Module):
    """What one writes in torch: an embedding for tokens, a cell, a linear layer."""

    def __init__(self, cell, hidden, channels):
        super().__init__()
        self.embedding = None if channels else nn.Embedding(51, 32)
        self.cell = CELLS[cell](channels or 32, hidden, batch_first=True)
        self.output = nn.Linear(hidden, N_CLASSES)

    def forward(self, x, lengths):
        """Pack and take the last state."""
        if self.embedding is not None:
            x = self.embedding(x)
        packed = pack_padded_sequence(
            x, lengths, batch_first=True, enforce_sorted=False
        )
        _, state = self.cell(packed)
        return self.output((state[0] if isinstance(state, tuple) else state)[-1])


def hand_written(X, y, cell, hidden, channels, batch_size, dtype):
    """A loop without a framework."""
    X = [torch.from_numpy(x) for x in X]
    lengths, y = torch.tensor([len(x) for x in X]), torch.from_numpy(y)
    net = Network(cell, hidden, channels).to(getattr(torch, dtype))
    optimizer = torch.optim.Adam(net.parameters())
    loss_of = nn.CrossEntropyLoss()
    for _ in range(EPOCHS):
        order = torch.randperm(len(X))
        total = torch.zeros((), dtype=getattr(torch, dtype))
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            x = pad_sequence([X[i] for i in rows.tolist()], batch_first=True)
            optimizer.zero_grad()
            loss = loss_of(net(x, lengths[rows]), y[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            total += loss.detach() * len(rows)


def ours(X, y, cell, hidden, channels, batch_size, dtype):
    """sklearn_deep, with what the loop does not do switched off."""
    RNNClassifier(
        hidden,
        cell=cell,
        tokens=not channels,
        dropout=0.0,
        optimizer="adam",
        weight_decay=0.0,
        learning_rate=1e-3,
        learning_rate_schedule="constant",
        batch_size=batch_size,
        max_epochs=EPOCHS,
        n_iter_no_change=None,
        early_stopping=False,
        device="cpu",
        dtype=dtype,
    ).fit(X, y)


def measure(shape, dtype, rounds):
    """Our time over the loop's, for one shape."""
    cell, hidden, channels, n, shortest, longest, batch_size = shape
    rng = np.random.default_rng(0)
    X = sequences(rng, rng.integers(shortest, longest + 1, n), channels, dtype)
    y = rng.integers(0, N_CLASSES, n)
    args = X, y, cell, hidden, channels, batch_size, dtype
    runs = {"hand": lambda: hand_written(*args), "ours": lambda: ours(*args)}
    times = best_times(runs, rounds)
    return times["ours"] / times["hand"]


def measure_padding(cell, dtype, rounds):
    """Share of the true steps, and of the time, of batches that are all of the longest."""
    rng = np.random.default_rng(0)
    n = 256
    long = rng.random(n) < SHARE_LONG
    mixed = np.where(long, LONG, LONG // 10)
    full = np.full(n, LONG)
    full[::32] -= 1  # a batch of one length is not packed at all
    y = rng.integers(0, N_CLASSES, n)
    runs = {}
    for name, lengths in (("mixed", mixed), ("full", full)):
        X = sequences(rng, lengths, 8, dtype)
        runs[name] = lambda X=X: ours(X, y, cell, 128, 8, 256, dtype)
    times = best_times(runs, rounds)
    return mixed.sum() / full.sum(), times["mixed"] / times["full"]


def main():
    """Print the tables and the floors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print_versions()
    with threadpool_limits(1):
        ratios = [measure(shape, args.dtype, args.rounds) for shape in SHAPES]
        shares = [measure_padding(cell, args.dtype, args.rounds) for cell in CELLS]
    print_table(
        [
            f"cell, hidden, channels, rows, lengths, batch ({args.dtype})",
            "ours / hand-written",
        ],
        [
            [f"{cell}, {h}, {c or 'tokens'}, {n}, {low} to {high}, {b}", ratio]
            for (cell, h, c, n, low, high, b), ratio in zip(SHAPES, ratios, strict=True)
        ],
    )
    print_table(
        [f"5 % of the rows ten times as long ({args.dtype})", "true steps", "time"],
        [[cell, *share] for cell, share in zip(CELLS, shares, strict=True)],
    )
    print(verdict(max(ratios) <= 1.15, "at most 1.15 times the hand-written loop"))
    worst = max(time / steps for steps, time in shares)
    print(verdict(worst <= 1.5, "time at most 1.5 times the share of the true steps"))


if __name__ == "__main__":
    main()
