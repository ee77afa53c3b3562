"""The page at ``/``: a person chooses a model, fills in a row, and sees the prediction."""

import re
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from sklearn_deep.serving.fields._errors import FieldErrors
from sklearn_deep.serving.fields._fields import fields_of
from sklearn_deep.serving.fields._rows import columns_to_X
from sklearn_deep.serving.page._about import about_card, title_of
from sklearn_deep.serving.page._answers import answer_card, answer_table
from sklearn_deep.serving.page._csv import read_csv, write_csv
from sklearn_deep.serving.page._form import NOTHING, Given, csv_form, row_form
from sklearn_deep.serving.page._html import Markup, tag
from sklearn_deep.serving.page._layout import (
    CONTENT_SECURITY_POLICY,
    FILES,
    Place,
    file_content,
    page,
    sign_in,
)
from sklearn_deep.serving.page._submitted import echoed, read_form, submitted_row
from sklearn_deep.serving.server._engine import Engine
from sklearn_deep.serving.server._errors import BadRequestError, UnknownModelError
from sklearn_deep.serving.server._gate import BODY
from sklearn_deep.serving.server._page_access import PageAccess
from sklearn_deep.serving.server._rows import predict_rows
from sklearn_deep.serving.server._rows_answer import answer_columns, answer_rows
from sklearn_deep.serving.server._served import Served
from sklearn_deep.serving.server._v2 import DirectRoute, engine_of, repository_of

router = APIRouter(include_in_schema=False, route_class=DirectRoute)

_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_MAX_SHOWN = 20  # faults of a CSV


class Outcome(NamedTuple):
    """What came of a form.

    Attributes
    ----------
    given : Given
        The form again, with its faults.
    result : Markup or None
        The prediction.
    download : str or None
        Results as a CSV, if these were asked for.
    """

    given: Given
    result: Markup | None = None
    download: str | None = None


@router.get("/")
async def home(request: Request) -> Response:
    """The page of the only model, or a list of the models."""
    repository = repository_of(request)
    names = repository.names()
    if not _access(request).allows(request):
        return _html(sign_in(_place(request, ""), failed=False), 401)
    if len(names) == 1:
        return _model_page(request, repository.get(names[0]), Outcome(NOTHING), "")
    place = _place(request, "")
    listed = [_listed(repository.get(name), address) for name, address in place.models]
    title = tag("div", tag("h1", "Models"), class_="title")
    return _html(page("Models", place, title, tag("ul", listed, class_="models")))


def _listed(served: Served, address: str) -> Markup:
    about = tag("span", title_of(served.metadata), class_="hint")
    return tag("li", tag("a", tag("b", tag("bdi", served.name)), about, href=address))


@router.get("/page/model/{name}")
async def show(request: Request) -> Response:
    """The form of a model."""
    if not _access(request).allows(request):
        return _html(sign_in(_place(request, _UP), failed=False), 401)
    return _model_page(request, _served(request), Outcome(NOTHING), _UP)


# From /page/model/NAME to /.
_UP = "../../"


@router.post("/page/model/{name}")
async def ask(request: Request) -> Response:
    """Answer a form of a model."""
    if not _access(request).allows(request):
        return _html(sign_in(_place(request, _UP), failed=False), 401)
    served, engine = _served(request), engine_of(request)
    outcome = await engine.call(lambda: _answer(served, _values(request), engine))
    if outcome.download is not None:
        return _as_file(outcome.download)
    return _model_page(request, served, outcome, _UP)


@router.post("/page/sign-in")
async def enter(request: Request) -> Response:
    """Let a browser in that has the token."""
    access = _access(request)
    if not access.is_open and not access.is_token(
        str(_values(request).get("token", ""))
    ):
        return _html(sign_in(_place(request, "../"), failed=True), 401)
    response = _redirect_home()
    if not access.is_open:
        access.sign_in(response)
    return response


@router.post("/page/sign-out")
async def leave(request: Request) -> Response:
    """Forget a browser."""
    response = _redirect_home()
    _access(request).sign_out(response)
    return response


@router.get("/page/{name}")
async def file(request: Request) -> Response:
    """The style and the script of the page, which hold nothing of a model."""
    name = request.path_params["name"]
    if name not in FILES:
        raise UnknownModelError("There is no such page.")
    headers = {**_HEADERS, "cache-control": "max-age=3600"}
    return Response(file_content(name), headers=headers, media_type=FILES[name])


def _access(request: Request) -> PageAccess:
    return request.app.state.page_access


def _served(request: Request) -> Served:
    return repository_of(request).get(request.path_params["name"])


def _place(request: Request, root: str) -> Place:
    access = _access(request)
    if not access.allows(request):
        return Place(root)
    models = tuple((n, _address(root, n)) for n in repository_of(request).names())
    return Place(root, models, not access.is_open)


def _address(root: str, name: str) -> str:
    return f"{root}page/model/{quote(name, safe='')}"


def _html(content: bytes, status: int = 200) -> Response:
    return Response(content, status, _HEADERS, "text/html")


def _redirect_home() -> Response:
    return Response(status_code=303, headers={**_HEADERS, "location": "../"})


def _as_file(text: str) -> Response:
    disposition = 'attachment; filename="predictions.csv"'
    headers = {**_HEADERS, "content-disposition": disposition}
    return Response(text.encode("utf-8", "replace"), 200, headers, "text/csv")


def _values(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "")
    try:
        return read_form(request.scope[BODY], kind)
    except ValueError:
        raise BadRequestError("The body is no form.") from None


def _model_page(
    request: Request, served: Served, outcome: Outcome, root: str
) -> Response:
    place, action = _place(request, root), _address(root, served.name)
    base = str(request.base_url).rstrip("/")
    address = f"{base}/v1/models/{quote(served.name, safe='')}/predict"
    metadata = served.metadata
    forms = [make(metadata, action, outcome.given) for make in (row_form, csv_form)]
    about = about_card(metadata, served.checksum, address, place.signed_in)
    content = tag(
        "div",
        tag("h1", tag("bdi", served.name)),
        tag("p", f"{title_of(metadata)}. Version {served.version}."),
        class_="title",
    )
    return _html(
        page(
            served.name,
            place,
            content,
            outcome.result,
            tag("div", forms, class_="asks"),
            about,
            current=served.name,
        ),
        422 if outcome.given.faults else 200,
    )


def _answer(served: Served, values: dict[str, Any], engine: Engine) -> Outcome:
    """What comes of the values of a form."""
    of_csv = "csv" in values
    try:
        return (_answer_csv if of_csv else _answer_row)(served, values, engine)
    except FieldErrors as error:
        faults = _csv_faults(error) if of_csv else _faults(error)
        return Outcome(Given(echoed(values), faults))


def _answer_row(served: Served, values: dict[str, Any], engine: Engine) -> Outcome:
    X = submitted_row(served.metadata, values)
    columns = answer_columns(predict_rows(served, X), served.metadata)
    engine.metrics.note_rows(served.name, 1)
    return Outcome(Given(echoed(values), {}), answer_card(answer_rows(columns)[0]))


def _answer_csv(served: Served, values: dict[str, Any], engine: Engine) -> Outcome:
    fields = fields_of(served.metadata)
    if fields is None:
        raise BadRequestError("This model takes no CSV.")
    names = [field["name"] for field in fields if field.get("used", True)]
    table = read_csv(str(values["csv"]), names, engine.check_rows)
    X = columns_to_X(served.metadata, table.columns, from_text=True)
    columns = answer_columns(predict_rows(served, X), served.metadata)
    engine.metrics.note_rows(served.name, table.n_rows)
    answers = answer_rows(columns)
    if values.get("download"):
        return Outcome(NOTHING, download=write_csv(table.columns, answers))
    note = ""
    if table.ignored:
        note = f"Not used: {', '.join(table.ignored[:20])}."
    result = answer_table(table.columns, answers, note)
    return Outcome(Given(echoed(values), {}), result)


def _faults(error: FieldErrors) -> dict[str, str]:
    """Faults by the name of the input, as sentences."""
    found: dict[str, str] = {}
    for one in error.errors:
        where = "" if one.field.startswith("rows") else one.field
        told = one.message if where == "" else f"It {one.message}"
        if one.field.startswith("rows"):
            told = f"The row {one.message}"
        found.setdefault(where, f"{told}. {one.fix}.")
    return found


_CELL = re.compile(r"columns\.(?P<name>.*)\[(?P<row>\d+)\]", re.DOTALL)
_ROW = re.compile(r"(rows\[|columns \(row )(?P<row>\d+)[\])]")


def _place_in_csv(field: str) -> str:
    cell, row = _CELL.fullmatch(field), _ROW.fullmatch(field)
    if cell:
        return f"Row {int(cell['row']) + 1}, {cell['name'][:100]}:"
    return (
        f"Row {int(row['row']) + 1}" if row else field[:100].replace("csv", "The CSV")
    )


def _csv_faults(error: FieldErrors) -> dict[str, str]:
    """All faults, a line each, with rows counted as in the table of results."""
    shown = [
        f"{_place_in_csv(one.field)} {one.message[:300]}. {one.fix[:300]}."
        for one in error.errors[:_MAX_SHOWN]
    ]
    left = len(error.errors) - len(shown)
    return {"csv": "\n".join([*shown, *([f"and {left} more"] if left else [])])}
