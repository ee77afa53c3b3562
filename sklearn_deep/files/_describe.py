"""What is in a file, without loading the model."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sklearn_deep.exceptions import ModelFileError
from sklearn_deep.files._container import FORMAT, Container
from sklearn_deep.files._manifest import Manifest


def describe(path: str | os.PathLike) -> dict[str, Any]:
    """Tell what is in a file of :func:`save`, without loading the model.

    The SHA-256 of the file is compared, so that it says too whether the file is damaged.
    It needs neither torch nor skops. ``python -m sklearn_deep describe FILE`` prints the
    same. What it says is what the author of the file wants it to say, unless the file is
    signed and :func:`load` has checked that.

    Parameters
    ----------
    path : str or path-like
        Name of the file.

    Returns
    -------
    description : dict
        ``format`` (version of the format), ``size`` (bytes), ``sha256`` (of the content),
        ``signed`` (whether there is a signature, which is not checked here), ``created``
        (UTC), ``versions`` (of the packages that wrote the file), ``model`` (its class),
        ``networks`` (one line each), ``n_features_in``, ``feature_names_in`` (the first
        200), ``n_classes``, ``classes`` (the first 200, as ``repr`` shows them) and
        ``types``: what has to be named in ``trusted`` of :func:`load`.

    Raises
    ------
    FileNotFoundError
        Where there is no file.
    ModelFileError
        For a file that is none of :func:`save`, or is damaged.

    See Also
    --------
    load : Read the model.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, describe, save
    >>> X, y = load_iris(return_X_y=True)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.skd")
    >>> save(MLPClassifier((8,), max_epochs=2, random_state=0).fit(X, y), path)
    >>> describe(path)["networks"]
    ['MLPClassifier: 67 parameters, 2 epochs']
    """
    file = Container.read(path)
    return {
        "format": FORMAT,
        "size": len(file.data),
        "sha256": file.digest.hex(),
        "signed": file.is_signed,
        **asdict(Manifest.parse(file.manifest, file.path)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 1 for a file that cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m sklearn_deep")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("describe", help="what is in a model file")
    command.add_argument("file")
    given = parser.parse_args(arguments)
    try:
        description = describe(given.file)
    except (ModelFileError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, value in description.items():
        print(f"{name + ':':18}{_shown(value)}")
    return 0


def _shown(value: Any) -> str:
    """Text without control characters, which a stranger's file may hold."""
    if isinstance(value, dict):
        value = [f"{name} {version}" for name, version in value.items()]
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text) or "-"
