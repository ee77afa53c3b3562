"""Threads of torch's wait asleep, and the environment is as it was."""

import os
import subprocess
import sys

import pytest

CODE = """
import os
{before}
import sys
seen = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            seen.append(os.environ.get("GOMP_SPINCOUNT"))
sys.meta_path.insert(0, Watch())
import sklearn_deep
sklearn_deep.MLPClassifier
print(seen, os.environ.get("GOMP_SPINCOUNT"))
"""


@pytest.mark.parametrize(
    ("before", "asked", "printed"),
    [
        ("", {}, "['10000'] None"),
        ("import torch", {}, "[] None"),
        ("", {"OMP_WAIT_POLICY": "active"}, "[None] None"),
        ("", {"GOMP_SPINCOUNT": "7"}, "['7'] 7"),
    ],
    ids=["ours", "torch first", "a policy", "a count"],
)
def test_an_import_of_torch_of_ours_sets_its_threads_up_to_sleep(
    before, asked, printed
):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    code = CODE.format(before=before)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == printed
