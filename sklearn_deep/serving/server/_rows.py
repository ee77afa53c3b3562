"""Predictions for rows as people write them: ``/v1``."""

import json
from typing import Any

from fastapi import APIRouter, Request, Response

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._outputs import RefusedRows
from sklearn_deep.serving.fields._errors import FieldError, FieldErrors
from sklearn_deep.serving.fields._fields import fields_of
from sklearn_deep.serving.server._engine import Engine
from sklearn_deep.serving.server._errors import BrokenModelError, UnsupportedBodyError
from sklearn_deep.serving.server._gate import BODY
from sklearn_deep.serving.server._prediction import Prediction
from sklearn_deep.serving.server._rows_answer import answer_columns, answer_rows
from sklearn_deep.serving.server._rows_request import read_rows
from sklearn_deep.serving.server._served import Served
from sklearn_deep.serving.server._v2 import DirectRoute, engine_of, repository_of

router = APIRouter(tags=["Rows"])
direct = APIRouter(tags=["Rows"], route_class=DirectRoute)

# Faults of a request that are told; all are counted.
MAX_FAULTS = 100
_MAX_TEXT = 300
_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@router.get("/v1/models")
async def models(request: Request) -> dict[str, Any]:
    """List the models."""
    repository = repository_of(request)
    return {
        "models": [
            {"name": name, "versions": repository.versions(name)}
            for name in repository.names()
        ]
    }


@router.get("/v1/models/{name}")
@router.get("/v1/models/{name}/versions/{version}")
async def model(
    request: Request, name: str, version: str | None = None
) -> dict[str, Any]:
    """Describe a model: the fields of a row, and what it predicts."""
    return described(repository_of(request).get(name, version))


def described(served: Served) -> dict[str, Any]:
    """What people need to know to write rows for a model."""
    metadata = served.metadata
    row_shape = metadata["inputs"][0].get("row_shape")
    return {
        "name": served.name,
        "version": served.version,
        "sha256": served.checksum,
        "estimator": metadata["estimator"],
        "task": metadata["task"],
        "fields": fields_of(metadata),
        "row_shape": row_shape,
        "sequences": (metadata["sequences"] or {}).get("kind"),
        "classes": metadata["classes"],
        "tasks": [task["name"] for task in metadata.get("tasks") or ()] or None,
    }


@direct.post("/v1/models/{name}/predict")
@direct.post("/v1/models/{name}/versions/{version}/predict")
async def predict(request: Request) -> Response:
    """Predict rows or columns; faults are 422, each with its field and its fix."""
    path = request.path_params
    served = repository_of(request).get(path["name"], path.get("version"))
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedBodyError("Send the body without compression.")
    body, engine = request.scope[BODY], engine_of(request)
    try:
        content = await engine.call(lambda: answer(served, body, engine))
    except FieldErrors as error:
        return Response(faults_as_json(error), 422, media_type="application/json")
    return Response(content, media_type="application/json")


def answer(served: Served, body: bytes, engine: Engine) -> bytes:
    """The answer to a request, in JSON.

    Raises
    ------
    FieldErrors, RequestError
    """
    asked = read_rows(body, served.metadata, engine.check_rows)
    where = "columns" if asked.by_column else "rows"
    columns = answer_columns(predict_rows(served, asked.X, where), served.metadata)
    engine.metrics.note_rows(served.name, asked.n_rows)
    found = columns if asked.by_column else answer_rows(columns)
    return _ENCODE(
        {"model": served.name, "version": served.version, "predictions": found}
    ).encode()


def predict_rows(served: Served, X: Any, where: str = "rows") -> Prediction:
    """Predict rows that were read.

    Raises
    ------
    FieldErrors
        For rows that the exported estimator refuses.
    BrokenModelError
    """
    try:
        return served.predict(X)
    except OnnxFileError as error:
        raise BrokenModelError("The model cannot compute these rows.") from error
    except RefusedRows as error:
        raise FieldErrors([_refused(where, int(i)) for i in error.rows]) from error
    except (TypeError, ValueError) as error:
        fault = FieldError(where, "do not fit the model", str(error))
        raise FieldErrors([fault]) from error


def _refused(where: str, i: int) -> FieldError:
    return FieldError(
        f"rows[{i}]" if where == "rows" else f"columns (row {i})",
        "is refused by the model: it holds missing values, numbers that are too large, or"
        " categories that were unknown at the fit, where the model does not accept them",
        "Fill in or correct the row",
    )


def faults_as_json(found: FieldErrors) -> bytes:
    """The faults of a request, in JSON."""
    shown = found.errors[:MAX_FAULTS]
    return _ENCODE(
        {
            "error": _short(str(found)),
            "n_errors": len(found.errors),
            "errors": [
                {
                    "field": _short(fault.field),
                    "message": _short(fault.message),
                    "fix": _short(fault.fix),
                }
                for fault in shown
            ],
        }
    ).encode()


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 3]}..."
