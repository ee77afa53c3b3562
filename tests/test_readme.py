"""The README runs as it is printed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_code_blocks_run_in_order(capsys, monkeypatch, tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "readme"}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert "test accuracy 0.9" in capsys.readouterr().out
    written = [path.name for path in tmp_path.iterdir()]
    assert written == ["model.onnx"], "an example writes what it does not say"


@pytest.mark.parametrize("command", re.findall(r"^ +make (\w+)", README, re.MULTILINE))
def test_a_make_target_it_names_exists(command):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{command}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_a_file_it_links_to_exists(target):
    assert (ROOT / target).exists()
