"""One fit on two processes, beside threads and beside a loop around torch's DDP.

Every way trains the same network with the same batches by AdamW: ours in one process with one
thread and with two, ours under torchrun with two processes of one thread, and a hand-written
loop around ``DistributedDataParallel`` with two processes. Seconds of an epoch are those of
the best epoch; CPU seconds are those of all processes, per epoch. Then: bytes of a step,
measured seconds of an all-reduce over the loopback interface, and what a model of both
gives for other networks.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from _common import print_table, print_versions
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from sklearn_deep import CNNRegressor, MLPRegressor

EPOCHS = 4


class Case(NamedTuple):
    """Rows and a network."""

    name: str
    shape: tuple[int, ...]
    hidden: tuple[int, ...]
    batch: int
    convolutions: bool = False

    def rows(self):
        """Features and targets."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=self.shape).astype(np.float32)
        return X, X.reshape(len(X), -1)[:, 0] * 2

    def estimator(self, epochs=EPOCHS):
        """Our network for these rows."""
        given = {
            "batch_size": self.batch,
            "max_epochs": epochs,
            "early_stopping": False,
            "n_iter_no_change": None,
            "random_state": 0,
        }
        if self.convolutions:
            return CNNRegressor(
                self.hidden, channels="first", dropout=0.0, normalization=None, **given
            )
        return MLPRegressor(self.hidden, **given)


CASES = {
    "small": Case("small", (30_000, 100), (128, 64), 256),
    "wide": Case("wide", (10_000, 100), (512, 512), 1024),
    "images": Case("images", (1_000, 3, 32, 32), (16, 32), 128, convolutions=True),
}


class Way(NamedTuple):
    """How a case is trained."""

    name: str
    processes: int
    threads: int
    by_hand: bool = False


WAYS = [
    Way("one process, 1 thread", 1, 1),
    Way("one process, 2 threads", 1, 2),
    Way("two processes, 1 thread each", 2, 1),
    Way("DDP by hand, two processes", 2, 1, by_hand=True),
]


# In a worker.


def train_ours(case):
    """Seconds of each epoch, and CPU seconds of an epoch."""
    X, y = case.rows()
    case.estimator(1).fit(X, y)
    start = time.process_time()
    model = case.estimator().fit(X, y)
    cpu = (time.process_time() - start) / EPOCHS
    seconds = np.diff([0, *(float(s) for s in model.history_["seconds"])])
    return seconds.tolist(), cpu, model.module_


def train_by_hand(case):
    """The same by a loop as torch's tutorial has it."""
    X, y = map(torch.from_numpy, case.rows())
    net = case.estimator(1).fit(X.numpy()[:64], y.numpy()[:64]).module_.train()
    if not dist.is_initialized():
        dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    model = DistributedDataParallel(net)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss, generator, seconds = nn.MSELoss(), torch.Generator(), []
    cpu = 0.0
    for epoch in range(EPOCHS + 1):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        order = torch.randperm(len(X), generator=generator.manual_seed(epoch))
        for batch in order.split(case.batch):
            own = batch[rank::size]
            optimizer.zero_grad()
            loss(model(X[own]).squeeze(-1), y[own].float()).backward()
            optimizer.step()
        if epoch:  # the first one allocates
            seconds.append(time.perf_counter() - begun)
            cpu += (time.process_time() - begun_cpu) / EPOCHS
    return seconds, cpu, net


def all_reduce_seconds(n_values, repeats=40):
    """Median time of adding up so many float32 values."""
    values, taken = torch.ones(n_values), []
    for _ in range(repeats):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(values)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def work(case, by_hand):
    """Train in this process, one of some; the first one prints what was measured."""
    seconds, cpu, net = (train_by_hand if by_hand else train_ours)(case)
    n_values = sum(p.numel() for p in net.parameters())
    found = {"seconds": min(seconds), "cpu": cpu, "values": n_values}
    if dist.is_initialized():
        total = torch.tensor(cpu, dtype=torch.float64)
        dist.all_reduce(total)
        found["cpu"] = float(total)
        found["all_reduce"] = all_reduce_seconds(n_values)
        found["shortest"] = all_reduce_seconds(1)
    if int(os.environ.get("RANK", 0)) == 0:
        print(json.dumps(found))


# In the process that compares.


def measure(case, way):
    """What the first worker prints."""
    own = [__file__, "--worker", case.name, *(["--by-hand"] if way.by_hand else [])]
    command = [sys.executable, *own]
    if way.processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
        command = [sys.executable, *launcher, str(way.processes), *own]
    env = os.environ | {
        "OMP_NUM_THREADS": str(way.threads),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def predicted(compute, n_bytes, machines, gigabits, latency):
    """Seconds of a step on several machines, whose ring adds the gradients up.

    Each machine computes its share of the batch, and sends and receives the gradient
    about twice in ``2 * (machines - 1)`` messages.
    """
    rounds = 2 * (machines - 1)
    sent = rounds / machines * n_bytes * 8 / (gigabits * 1e9)
    return compute / machines + sent + rounds * latency


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--worker", choices=CASES)
    parser.add_argument("--by-hand", action="store_true")
    given = parser.parse_args()
    if given.worker:
        work(CASES[given.worker], given.by_hand)
        return
    print_versions()
    found = compare([CASES[name] for name in given.case or CASES], given.rounds)
    print_messages(found)
    print_model(found)


def compare(cases, rounds):
    """Run all ways in turn, print a table, and return the best of each."""
    rows, found = [], {}
    for case in cases:
        for _ in range(rounds):
            for way in WAYS:
                now = measure(case, way)
                best = found.setdefault((case, way), now)
                for name in ("seconds", "cpu", "all_reduce", "shortest"):
                    if name in now:
                        best[name] = min(best[name], now[name])
        alone = found[case, WAYS[0]]["seconds"]
        for way in WAYS:
            best = found[case, way]
            n = case.shape[0]
            rows.append(
                [
                    case.name,
                    way.name,
                    f"{n / best['seconds']:,.0f}",
                    alone / best["seconds"],
                    best["cpu"],
                ]
            )
    print("Speed, and CPU seconds of an epoch over all processes:\n")
    print_table(["case", "way", "rows/s", "speed", "CPU s"], rows)
    return found


def print_messages(found):
    """What a step sends, and how long that takes here."""
    rows = []
    for (case, way), best in found.items():
        if "all_reduce" in best and not way.by_hand:
            step = found[case, WAYS[0]]["cpu"] / -(-case.shape[0] // case.batch)
            rows.append(
                [
                    case.name,
                    f"{4 * best['values'] / 1e6:.2f}",
                    1e3 * best["all_reduce"],
                    1e3 * best["shortest"],
                    1e3 * step,
                ]
            )
    print("A step, two processes over the loopback interface:\n")
    head = ["case", "MB", "all-reduce ms", "of one value ms", "CPU ms of one process"]
    print_table(head, rows)


def print_model(found, latency=50e-6):
    """Speed on more machines, by the model."""
    rows = []
    for case in dict.fromkeys(case for case, _ in found):
        best = found[case, WAYS[0]]
        # Other processes of this machine lengthen seconds, and hardly CPU seconds.
        step = best["cpu"] / -(-case.shape[0] // case.batch)
        for gigabits in (1, 10, 25):
            speeds = [
                step / predicted(step, 4 * best["values"], n, gigabits, latency)
                for n in (2, 4, 8, 16)
            ]
            rows.append([case.name, gigabits, *speeds])
    print(
        "Model: speed of n machines with a process of one thread each, against one;"
        f" {1e6 * latency:.0f} us a message:\n"
    )
    print_table(["case", "Gbit/s", *(f"n = {n}" for n in (2, 4, 8, 16))], rows)


if __name__ == "__main__":
    main()
