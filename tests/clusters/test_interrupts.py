"""An interrupted call ends the fits of its workers, which then run others."""

import signal
import subprocess
import sys
import time

import pytest

import interrupted_search

pytestmark = pytest.mark.clusters


@pytest.mark.parametrize("engine", ["loky", "dask"])
def test_an_interrupt_frees_the_workers(engine, tmp_path):
    if engine == "dask":
        pytest.importorskip("distributed")
    process = subprocess.Popen(
        [sys.executable, interrupted_search.__file__, engine, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*.begun")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(2)  # they train
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert "interrupted" in out, err
    assert "free after" in out, err
