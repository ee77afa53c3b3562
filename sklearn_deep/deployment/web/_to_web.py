"""A fitted estimator as a folder with a page that predicts in the browser."""

import html
import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from sklearn_deep.deployment.web._examples import (
    choose_rows,
    write_expected,
    write_rows,
)
from sklearn_deep.deployment.web._folder import MARK, check_replaceable, write_folder
from sklearn_deep.deployment.web._input import describe_input
from sklearn_deep.deployment.web._operators import check_operators
from sklearn_deep.deployment.web._runtime import COMMAND, runtime_files
from sklearn_deep.export._onnx_export import OnnxExport
from sklearn_deep.export._to_onnx import to_onnx
from sklearn_deep.export.inputs._declared import as_rows
from sklearn_deep.export.sklearn._composition import final_estimator
from sklearn_deep.serving._metadata import METADATA_KEY
from sklearn_deep.serving.fields._fields import fields_of

_STRING = 8  # TensorProto.STRING
_PAGE = ("page.js", "style.css")


def to_web(model, X, folder, *, title=None, runtime=None):
    """Write a folder with a page that predicts in the browser, and sends no row away.

    The folder holds the exported model, a page with a form for one row and a CSV file for
    many, and 20 of the rows of ``X`` with the predictions of the estimator: the page
    compares its own predictions with them when it is opened, and shows the largest
    difference. Any server of static files serves it; nothing is loaded from elsewhere.

    Parameters
    ----------
    model : fitted estimator
        What :func:`to_onnx` exports.
    X : {array-like, DataFrame} of shape (n_samples, n_features), or \
            array of shape (n_samples, ...)
        Rows like those to predict later. They give the types, ranges, defaults and
        choices of the form. 20 of them are copied into the folder: pass rows that may be
        published.
    folder : str or os.PathLike
        Folder to write, whole or not at all. An existing one is replaced only if it is
        empty, or was written by this function.
    title : str, default=None
        Heading of the page; by default the name of the estimator's class.
    runtime : str or os.PathLike, default=None
        Folder of the unpacked npm package onnxruntime-web, whose two files that the page
        needs are copied (14 MB). Without it the page shows the command that fetches them.

    Returns
    -------
    folder : pathlib.Path
        The folder.

    Raises
    ------
    OnnxExportError
        If an estimator or a step has no ONNX form, or if the model has an operator that
        onnxruntime-web cannot run; the message names it.
    OnnxParityError
        If the predictions of the file differ from those of the estimator.
    FileExistsError
        If the folder holds other files.
    ValueError
        If ``runtime`` is not the package onnxruntime-web.

    See Also
    --------
    to_onnx : Writes the model alone.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, to_web
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> network = MLPClassifier(random_state=0).fit(X, y)
    >>> folder = to_web(network, X, Path(tempfile.mkdtemp()) / "iris", title="Irises")
    >>> sorted(path.name for path in folder.iterdir())
    ['index.html', 'model.json', 'model.onnx', 'page.js', 'style.css']
    """
    target = Path(os.fsdecode(folder))
    check_replaceable(target)
    copied = runtime_files(runtime)
    export = to_onnx(model, X)
    check_operators(export.model)
    title = type(model).__name__ if title is None else str(title)
    description = _describe(model, as_rows(model, X), export, title)
    write_folder(
        target,
        {
            **_page(title),
            MARK: json.dumps(description, ensure_ascii=False, allow_nan=False).encode(),
            "model.onnx": export.to_bytes(),
            **copied,
        },
    )
    return target


def _describe(model: Any, X: Any, export: OnnxExport, title: str) -> dict[str, Any]:
    """What the page knows of the model beside the graph."""
    props = {prop.key: prop.value for prop in export.model.metadata_props}
    metadata = json.loads(props[METADATA_KEY])
    fields, form = fields_of(metadata), describe_input(model, X, metadata)
    texts = {
        out.name: out.type.tensor_type.elem_type == _STRING
        for out in export.model.graph.output
    }
    rows = choose_rows(X)
    return {
        "title": title,
        "estimator": type(final_estimator(model)).__name__,
        "metadata": metadata,
        "fields": fields,
        "input": form,
        "model_bytes": len(export.to_bytes()),
        "runtime_command": COMMAND,
        "examples": {
            "rows": write_rows(rows, metadata, fields, form["kind"]),
            "expected": write_expected(model, rows, metadata, texts),
        },
    }


def _page(title: str) -> dict[str, bytes]:
    source = files("sklearn_deep.deployment.web") / "page"
    index = (source / "index.html").read_text("utf-8")
    filled = index.replace("{{title}}", html.escape(title))
    static = {name: (source / name).read_bytes() for name in _PAGE}
    return {"index.html": filled.encode(), **static}
