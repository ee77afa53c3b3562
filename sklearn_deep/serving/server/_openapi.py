"""``/openapi.json``: the operations of the server, with the fields of each model."""

from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from sklearn_deep._version import __version__
from sklearn_deep.serving.fields._schema import prediction_schema, request_schema
from sklearn_deep.serving.server._repository import Repository
from sklearn_deep.serving.server._served import Served
from sklearn_deep.serving.server._settings import Settings

Schema = dict[str, Any]

_ROWS = "/v1/models/{name}/predict"
_INFER = "/v2/models/{name}/infer"
_VERSIONS = "/versions/{version}/"
_COMPONENTS: dict[str, Schema] = {
    "Error": {
        "type": "object",
        "properties": {"error": {"type": "string"}},
        "required": ["error"],
    },
    "Faults": {
        "type": "object",
        "properties": {
            "error": {"type": "string"},
            "n_errors": {"type": "integer"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "field": {"type": "string"},
                        "message": {"type": "string"},
                        "fix": {"type": "string"},
                    },
                    "required": ["field", "message", "fix"],
                },
            },
        },
        "required": ["error", "n_errors", "errors"],
    },
}
_TENSOR: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "datatype": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "data": {"type": "array"},
        "parameters": {"type": "object"},
    },
    "required": ["name"],
}
_INFER_REQUEST: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1},
        "outputs": {"type": "array", "items": _TENSOR},
    },
    "required": ["inputs"],
}


def install_schema(app: FastAPI, repository: Repository, settings: Settings) -> None:
    """Let the application describe itself with the models that it has at the time."""
    made: dict[tuple[str, ...], Schema] = {}

    def schema() -> Schema:
        key = tuple(served.checksum for served in _newest(repository))
        if key not in made:
            made.clear()
            made[key] = make_schema(app, repository, settings)
        return made[key]

    app.openapi = schema  # type: ignore[method-assign]


def make_schema(app: FastAPI, repository: Repository, settings: Settings) -> Schema:
    """Describe the operations, one for the rows of each model included."""
    schema = get_openapi(title="sklearn_deep", version=__version__, routes=app.routes)
    paths = schema["paths"]
    for served in _newest(repository):
        paths[f"/v1/models/{quote(served.name, safe='')}/predict"] = {
            "post": _operation(served, settings)
        }
    for path in (_ROWS, _ROWS.replace("/predict", f"{_VERSIONS}predict")):
        paths[path]["post"]["requestBody"] = _body(_ANY_ROWS)
    for path in (_INFER, _INFER.replace("/infer", f"{_VERSIONS}infer")):
        paths[path]["post"]["requestBody"] = _body(_INFER_REQUEST)
    for path, operations in paths.items():
        for operation in operations.values():
            _complete(operation, path, settings)
    parts = schema.setdefault("components", {})
    parts["schemas"] = _COMPONENTS
    if settings.token is not None:
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"token": []}]
    return schema


_ANY_ROWS: Schema = {
    "type": "object",
    "properties": {"rows": {"type": "array"}, "columns": {"type": "object"}},
}


def _newest(repository: Repository) -> list[Served]:
    return [repository.get(name) for name in repository.names()]


def _operation(served: Served, settings: Settings) -> Schema:
    """Predictions of one model."""
    metadata = served.metadata
    one = prediction_schema(metadata)
    answer = {
        "type": "object",
        "properties": {
            "model": {"const": served.name},
            "version": {"type": "string"},
            "predictions": {
                "anyOf": [{"type": "array", "items": one}, {"type": "object"}]
            },
        },
        "required": ["model", "version", "predictions"],
    }
    return {
        "tags": ["Rows"],
        "summary": f"Predict rows with {served.name}",
        "description": f"{metadata['estimator']}, version {served.version}.",
        "operationId": f"predict_{served.name}",
        "requestBody": _body(request_schema(metadata, settings.max_rows)),
        "responses": {
            "200": _response("Predictions in the order of the rows.", answer)
        },
    }


def _body(schema: Schema) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _response(text: str, schema: Schema) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _complete(operation: Schema, path: str, settings: Settings) -> None:
    """Add the errors, which are the same for all."""
    responses = operation["responses"]
    responses.pop("422", None)
    if path.startswith("/v1") and path.endswith("predict"):
        faults = {"$ref": "#/components/schemas/Faults"}
        responses["422"] = _response("Rows that the model does not take.", faults)
    error = {"$ref": "#/components/schemas/Error"}
    responses["default"] = _response("Another error.", error)
