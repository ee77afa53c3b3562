"""The README runs as it is printed, and prints what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# A block of code, and the indented block after it: what the code prints.
CODE = re.compile(
    r"^```python\n(.*?)^```\n+((?: {4}[^\n]*\n)*)", re.MULTILINE | re.DOTALL
)
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")

# Times, rounding errors and the number of stacks depend on the machine.
DIFFERENT = re.compile(r"[\d.]+ s\b|difference [\d.e-]+|stacks: .*")


def numbers(text):
    """The numbers of a text, without those that depend on the machine."""
    return [float(number) for number in NUMBER.findall(DIFFERENT.sub("", text))]


def words(text):
    """A text without its numbers, with single spaces."""
    return " ".join(NUMBER.sub("", DIFFERENT.sub("", text)).split())


def assert_prints(text, stated):
    # Processors round differently, which changes what training arrives at a little.
    assert words(text) == words(stated)
    assert numbers(text) == pytest.approx(numbers(stated), rel=0.15)


# examples train for a few epochs, so that they run quickly: NotConvergedWarning stays off
@pytest.mark.filterwarnings(
    "error::sklearn_deep.exceptions.DeadUnitsWarning",
    "error::sklearn_deep.exceptions.SmallValidationWarning",
    "error::sklearn_deep.exceptions.UnscaledFeaturesWarning",
)
@pytest.mark.slow
def test_the_code_blocks_run_in_order_and_print_what_stands_below_them(
    capsys, monkeypatch, tmp_path
):
    blocks = CODE.findall(README)
    assert len(blocks) >= 3
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "readme"}
    for code, stated in blocks:
        exec(compile(code, "README.md", "exec"), namespace)
        assert stated
        assert_prints(capsys.readouterr().out, stated)
    written = [path.name for path in tmp_path.iterdir()]
    assert written == ["arm.onnx"], "an example writes what it does not say"


def errors_of_the_table():
    """The errors in cm that the README's table states, in its order."""
    return [float(cm) for cm in re.findall(r"^\|.*\| ([\d.]+) cm \|", README, re.M)]


@pytest.mark.slow
def test_the_quickstart_prints_the_table_of_the_readme(tmp_path):
    picture = tmp_path / "quickstart.png"
    command = [sys.executable, ROOT / "examples" / "quickstart.py", "--figure", picture]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["quickstart.png"]
    printed = re.findall(r"^(.*\w) +([\d.]+) +[\d.]+ +[\d.]+$", done.stdout, re.M)
    table = {
        name: float(cm) for name, cm in printed if "sklearn" in name or "-" in name
    }
    assert next(iter(table)).startswith("sklearn_deep")
    assert list(table.values()) == pytest.approx(errors_of_the_table(), rel=0.15)
    (from_file,) = re.findall(r"read by onnxruntime: ([\d.]+) cm", done.stdout)
    assert float(from_file) == next(iter(table.values()))


@pytest.mark.parametrize("command", re.findall(r"^ +make (\w+)", README, re.MULTILINE))
def test_a_make_target_it_names_exists(command):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{command}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)[^)]*\)", README))
def test_a_file_it_links_to_exists(target):
    assert (ROOT / target).exists()
