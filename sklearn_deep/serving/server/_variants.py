"""Files of one model in several sizes: the best for a client's limits, and its download."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._variants import (
    INDEX,
    Variant,
    choose,
    described,
    nearest,
    read_index,
)
from sklearn_deep.serving.server._errors import BrokenModelError, UnknownModelError
from sklearn_deep.serving.server._v2 import repository_of

router = APIRouter(tags=["Variants"])

_LONGEST = 2**53

_Bytes = Annotated[int | None, Query(gt=0, le=_LONGEST, description="Of the file.")]
_Time = Annotated[
    float | None,
    Query(gt=0, allow_inf_nan=False, description="Per row, as they were measured."),
]
_Score = Annotated[
    float | None, Query(allow_inf_nan=False, description="On held-out rows.")
]


@router.get("/v2/models/{name}/variants")
def best_variant(
    request: Request,
    name: str,
    max_bytes: _Bytes = None,
    max_microseconds: _Time = None,
    min_score: _Score = None,
) -> dict[str, Any]:
    """Find the best file within a client's limits, to predict by itself.

    It is the one with the highest score; with a limit of the score only, the smallest
    one. 404 if no file is within the limits, or if the model has no variants.
    """
    given = {"bytes": max_bytes, "microseconds": max_microseconds, "score": min_score}
    budget = {kind: limit for kind, limit in given.items() if limit is not None}
    _, variants, about = _folder_of(request, name)
    best = choose(variants, budget)
    if best is None:
        near = nearest(variants, budget)
        raise UnknownModelError(
            f"No variant of {name!r} has {described(budget)}; the nearest is"
            f" {near.name!r}: {near.bytes:,} bytes, {near.microseconds:.4g} microseconds,"
            f" score {near.score:.4g}."
        )
    return {
        "name": name,
        "best": _shown(name, best),
        "variants": [_shown(name, variant) for variant in variants],
        "measured": {k: about[k] for k in _MEASURED if k in about},
    }


# How variants were measured, of what is in the index.
_MEASURED = ("rows", "scoring", "batch_size")


@router.head("/v2/models/{name}/variants/{file}", include_in_schema=False)
@router.get("/v2/models/{name}/variants/{file}", response_class=FileResponse)
def download(request: Request, name: str, file: str) -> Response:
    """Download the file of a variant; a part of it by ``Range``.

    The ``ETag`` is its SHA-256: 304 answers ``If-None-Match`` where the client has it.
    """
    folder, variants, _ = _folder_of(request, name)
    found = next((v for v in variants if v.file == file), None)
    if found is None:
        files = ", ".join(v.file for v in variants)
        raise UnknownModelError(f"{name!r} has no file {file!r:.100}; it has {files}.")
    tag = f'"{found.sha256}"'
    known = [t.strip() for t in request.headers.get("if-none-match", "").split(",")]
    if tag in known or f"W/{tag}" in known or "*" in known:
        return Response(status_code=304, headers={"etag": tag})
    return FileResponse(
        folder / found.file,
        headers={"etag": tag},
        media_type="application/octet-stream",
        filename=found.file,
    )


def _folder_of(
    request: Request, name: str
) -> tuple[Path, list[Variant], dict[str, Any]]:
    """The folder of a model, its variants, and how they were measured."""
    folder = repository_of(request).get(name).path.parent
    if not (folder / INDEX).is_file():
        raise UnknownModelError(
            f"The model {name!r} has no variants: its folder lacks {INDEX}, which"
            " sklearn_deep.variants writes."
        )
    try:
        return folder, *read_index(folder)
    except (OnnxFileError, OSError) as error:
        raise BrokenModelError(
            f"The variants of {name!r} cannot be read now: their index does not fit the"
            " files. Ask again later."
        ) from error


def _shown(name: str, variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "bytes": variant.bytes,
        "microseconds": variant.microseconds,
        "score": variant.score,
        "sha256": variant.sha256,
        "download": f"/v2/models/{quote(name, safe='')}/variants/{quote(variant.file)}",
    }
