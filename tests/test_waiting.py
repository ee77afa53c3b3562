"""Threads of torch's wait asleep, and the environment is as it was."""

import json
import os
import subprocess
import sys

import pytest

# An import of torch takes seconds, so one interpreter plays all cases. It stops the
# import of torch after the look at the environment, until the case named "ours"; where
# torch is there, it looks when this package imports its own networks.
CODE = """
import importlib, json, os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == ("sklearn_deep.nn" if case == "torch first" else "torch"):
            seen.append(os.environ.get("GOMP_SPINCOUNT"))
            if case in ("a policy", "a count"):
                raise InterruptedError

sys.meta_path.insert(0, Watch())
found = {}
for case, asked in json.loads(sys.argv[1]).items():
    seen = []
    for name in [name for name in sys.modules if name.startswith("sklearn_deep")]:
        del sys.modules[name]
    os.environ.update(asked)
    try:
        importlib.import_module("sklearn_deep").MLPClassifier
    except InterruptedError:
        pass
    found[case] = [seen, os.environ.get("GOMP_SPINCOUNT"), "torch" in sys.modules]
    for name in asked:
        del os.environ[name]
print(json.dumps(found))
"""
# What the user asked for, and what the import of torch and the code after it find.
CASES = {
    "a policy": ({"OMP_WAIT_POLICY": "active"}, [[None], None, False]),
    "a count": ({"GOMP_SPINCOUNT": "7"}, [["7"], "7", False]),
    "ours": ({}, [["10000"], None, True]),
    "torch first": ({}, [[None], None, True]),
}


@pytest.fixture(scope="module")
def found():
    asked = json.dumps({name: asked for name, (asked, _) in CASES.items()})
    done = subprocess.run(
        [sys.executable, "-c", CODE, asked],
        env={
            name: value
            for name, value in os.environ.items()
            if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES)
def test_an_import_of_torch_of_ours_sets_its_threads_up_to_sleep(case, found):
    assert found[case] == CASES[case][1]
