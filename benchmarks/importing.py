"""Time of ``import sklearn_deep``, which must not import torch.

python benchmarks/importing.py
"""

import subprocess
import sys

from _common import print_table, print_versions, verdict

TIMED = """
import sys, time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start, "torch" in sys.modules)
"""
MODULES = ("sklearn_deep", "numpy", "sklearn")


def import_once(module):
    """Seconds of one import in a fresh process, and whether torch came along."""
    command = [sys.executable, "-c", TIMED.format(module=module)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds, torch_came = out.split()
    return float(seconds), torch_came == "True"


def main():
    """Print the table and the floors."""
    print_versions()
    seen = {module: [import_once(module) for _ in range(7)] for module in MODULES}
    seconds = {module: min(s for s, _ in runs) for module, runs in seen.items()}
    print_table(
        ["import", "milliseconds", "ratio to numpy"],
        [[m, 1000 * s, s / seconds["numpy"]] for m, s in seconds.items()],
    )
    torch_came = any(came for _, came in seen["sklearn_deep"])
    print(verdict(seconds["sklearn_deep"] < 0.1, "below 0.1 s"))
    print(verdict(not torch_came, "without torch"))


if __name__ == "__main__":
    main()
