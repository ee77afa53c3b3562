"""Break a module in many small ways, and print the changes that no test notices.

Used by ``make mutants``; cosmic-ray makes the changes, one at a time, in a copy of the
project. Each runs the tests that mirror the module, unless others are named:

    python tests/run_mutants.py training/job/_stopping.py [tests/... ...]

Without a module, all of ``training/`` and ``nn/_losses.py`` are broken: many hours. A
survivor may be an equivalent program; the others want a test.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("sklearn_deep", "tests", "pyproject.toml")
BIN = Path(sys.executable).parent
# Bytecode of a change that was made within the same second would be taken for the next.
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}

CONFIG = """
[cosmic-ray]
module-path = "{module}"
timeout = {timeout}
excluded-modules = []
test-command = "{python} -m pytest -q -x -p no:cacheprovider -m 'not slow' {tests}"
distributor.name = "local"

[cosmic-ray.filters.operators-filter]
# The bar of a type annotation is no program.
exclude-operators = ["core/ReplaceBinaryOperator_BitOr_.*"]
"""


def default_modules():
    package = ROOT / "sklearn_deep"
    found = [*(package / "training").rglob("_[a-z]*.py"), package / "nn/_losses.py"]
    return [path.relative_to(package).as_posix() for path in sorted(found)]


def mirrored(module):
    """The tests of a module; those of its folder where it has none of its own."""
    path = Path("tests") / module
    own = path.with_name(f"test{path.name}")
    return str(own if (ROOT / own).exists() else path.parent)


def run(tree, module, tests, timeout=600):
    def ray(command, *arguments):
        subprocess.run(
            [BIN / command, *arguments], cwd=tree, check=True, env=ENVIRONMENT
        )

    (tree / "mutants.toml").write_text(
        CONFIG.format(
            module=f"sklearn_deep/{module}",
            timeout=timeout,
            python=sys.executable,
            tests=tests,
        )
    )
    print(f"=== {module}, by {tests}", flush=True)
    (tree / "mutants.sqlite").unlink(missing_ok=True)
    ray("cosmic-ray", "init", "mutants.toml", "mutants.sqlite")
    ray("cr-filter-operators", "mutants.sqlite", "mutants.toml")
    ray("cosmic-ray", "baseline", "mutants.toml")
    ray("cosmic-ray", "exec", "mutants.toml", "mutants.sqlite")
    ray("cr-report", "mutants.sqlite", "--show-diff", "--surviving-only")


def main(module=None, *tests):
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tree / name)
        for each in [module] if module else default_modules():
            run(tree, each, " ".join(tests) or mirrored(each))


if __name__ == "__main__":
    main(*sys.argv[1:])
