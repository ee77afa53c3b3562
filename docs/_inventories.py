"""Links to other projects' pages, where their inventories can be had.

Sphinx warns of an inventory that it cannot fetch, and here a warning is an error. So each
is fetched before Sphinx reads its settings, and kept in a folder for the next build. One
that cannot be had is left out: its names are then plain text.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

PROJECTS = {
    "joblib": "https://joblib.readthedocs.io/en/stable/",
    "matplotlib": "https://matplotlib.org/stable/",
    "numpy": "https://numpy.org/doc/stable/",
    "pandas": "https://pandas.pydata.org/docs/",
    "python": "https://docs.python.org/3/",
    "skl2onnx": "https://onnx.ai/sklearn-onnx/",
    "sklearn": "https://scikit-learn.org/stable/",
    "skops": "https://skops.readthedocs.io/en/stable/",
    "skorch": "https://skorch.readthedocs.io/en/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}
TIMEOUT = 5  # seconds
START = b"# Sphinx inventory version"


def fetch(address, file):
    """Download one inventory to ``file``, or keep the one that is there."""
    try:
        with urlopen(f"{address}objects.inv", timeout=TIMEOUT) as answer:
            content = answer.read()
    except (URLError, OSError):
        return
    if content.startswith(START):  # not the page of a proxy
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def mapping(folder, projects=PROJECTS):
    """Give ``intersphinx_mapping`` of the projects whose inventory is to be had."""
    files = {name: Path(folder) / f"{name}.inv" for name in projects}
    with ThreadPoolExecutor(len(projects)) as pool:
        list(pool.map(fetch, projects.values(), files.values()))
    return {
        name: (projects[name], str(file))
        for name, file in files.items()
        if file.exists()
    }
