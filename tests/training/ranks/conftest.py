"""Real processes, started once for many fits."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FAULTS = ROOT / "tests" / "ranked_faults.py"
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


@contextmanager
def ranks_alone(n_ranks, script, *arguments):
    """Ranks without torchrun, which would end all where one is killed."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    own = {"WORLD_SIZE": n_ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)],
            env=environment() | {k: str(v) for k, v in (own | {"RANK": rank}).items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(n_ranks)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.fixture(scope="session")
def ranked(tmp_path_factory):
    """Function that runs all cases on some ranks once, and gives the folder of results."""
    folders = {}

    def run_all(n_ranks):
        if n_ranks not in folders:
            from ranked_fits import CASES

            folder = tmp_path_factory.mktemp(f"ranks{n_ranks}")
            folders[n_ranks] = folder, torchrun(n_ranks, FITS, folder, *CASES)
        folder, done = folders[n_ranks]
        assert done.returncode == 0, done.stdout
        return folder

    return run_all


@pytest.fixture(scope="session")
def told(tmp_path_factory):
    """What two ranks said of each fault, one text per rank."""
    from ranked_faults import FAULTS as NAMES

    folder = tmp_path_factory.mktemp("faults")
    names = [name for name in NAMES if name != "killed"]
    done = torchrun(2, FAULTS, folder, *names)
    assert done.returncode == 0, done.stdout
    return lambda name: [(folder / f"{name}.{r}.txt").read_text() for r in (0, 1)]


@pytest.fixture
def torchrun_faults():
    """Function that lets ranks that torchrun starts go through some faults."""
    return lambda n_ranks, *arguments: torchrun(n_ranks, FAULTS, *arguments)


@pytest.fixture
def faults_alone():
    """The same for ranks that end by themselves."""
    return lambda n_ranks, *arguments: ranks_alone(n_ranks, FAULTS, *arguments)
