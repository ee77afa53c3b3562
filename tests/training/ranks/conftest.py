"""Real processes, started once for many fits."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FITS = ROOT / "tests" / "ranked_fits.py"


def environment():
    """Variables of a rank: one thread, loopback only, and this copy of the package."""
    # A rank that pytest itself was started as would hand down its number.
    kept = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    root = str(ROOT)
    path = os.pathsep.join([root, kept.get("PYTHONPATH", "")])
    return kept | {
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "PYTHONPATH": path,
    }


def torchrun(n_ranks, script, *arguments, timeout=300):
    """Run a script on some ranks; return the finished process with all its output.

    The ranks are a group of processes that ends with the test, whatever happens.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(n_ranks), str(script), *map(str, arguments)]
    with subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, output)


@pytest.fixture(scope="session")
def ranked(tmp_path_factory):
    """Function that runs all cases on some ranks once, and gives the folder of results."""
    folders = {}

    def run_all(n_ranks):
        if n_ranks not in folders:
            from ranked_fits import CASES

            folder = tmp_path_factory.mktemp(f"ranks{n_ranks}")
            done = torchrun(n_ranks, FITS, folder, *CASES)
            assert done.returncode == 0, done.stdout
            folders[n_ranks] = folder
        return folders[n_ranks]

    return run_all
