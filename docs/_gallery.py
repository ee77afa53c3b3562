"""How the gallery runs the examples: the quickstart first, and with its picture."""

import tempfile
from pathlib import Path


class QuickstartFirst:
    """Sorts examples by name, after the quickstart."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, name):
        return name != "quickstart.py", name

    def __repr__(self):
        return type(self).__name__  # the same in every build: it is compared as text


def argv(gallery_conf, script_vars):
    """Command-line arguments of an example."""
    if Path(script_vars["src_file"]).name != "quickstart.py":
        return []
    return ["--figure", str(Path(tempfile.gettempdir()) / "quickstart.png")]
