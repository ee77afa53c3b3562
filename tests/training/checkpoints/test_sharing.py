"""Processes that share a folder, and processes that are killed while they store."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import numpy as np
import pytest

from sklearn_deep import Checkpoint
from sklearn_deep.training.checkpoints._store import Store

KEYS = [digit * 64 for digit in "abc"]

# Stores states whose arrays are all of one number, which is their epoch.
WRITER = """
import sys
from itertools import count
import numpy as np
from sklearn_deep import Checkpoint
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.checkpoints._store import Store

store = Store(Checkpoint(sys.argv[1], keep=int(sys.argv[2])), "Net")
print("ready", flush=True)
for epoch in count() if sys.argv[3] == "-" else range(int(sys.argv[3])):
    for key in sys.argv[4:]:
        store.write(key, RunState({"epoch": epoch}, {"w": np.full(30_000, epoch)}))
"""


@pytest.fixture
def start(tmp_path):
    """Starts a process that stores states, and waits until it begins to."""
    with ExitStack() as stack:

        def start(keep, n_epochs):
            command = [sys.executable, "-W", "error", "-c", WRITER, tmp_path, keep]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            process = subprocess.Popen([*map(str, command), n_epochs, *KEYS], **pipes)
            stack.enter_context(process)
            assert process.stdout.readline() == "ready\n", process.stderr.read()
            return process

        yield start


def assert_whole(state):
    assert np.array_equal(state.arrays["w"], np.full(30_000, state.numbers["epoch"]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("keep", [1, 3])
def test_processes_that_share_a_folder_see_whole_states_only(start, tmp_path, keep):
    writers = [start(keep, "40") for _ in range(2)]
    store, n_read = Store(Checkpoint(tmp_path, keep=keep), "Net"), 0
    while any(writer.poll() is None for writer in writers):
        for key in KEYS:
            state = store.read(key)
            if state is not None:
                assert_whole(state)
                n_read += 1
    assert n_read > 50
    for writer in writers:
        assert writer.wait() == 0, writer.stderr.read()
    assert {store.read(key).numbers["epoch"] for key in KEYS} == {39}


@pytest.mark.filterwarnings("error")
def test_a_process_that_is_killed_leaves_whole_states(start, tmp_path):
    rng, store = random.Random(0), Store(Checkpoint(tmp_path, keep=2), "Net")
    for _ in range(6):
        writer = start(2, "-")
        time.sleep(0.05 + 0.3 * rng.random())
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        for key in KEYS:
            if (state := store.read(key)) is not None:
                assert_whole(state)
    assert all(store.read(key) is not None for key in KEYS)
