"""``python -m sklearn_deep serve``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sklearn_deep.exceptions import MissingDependencyError, OnnxFileError
from sklearn_deep.serving.server._settings import Settings

TOKEN_VARIABLE = "SKLEARN_DEEP_TOKEN"

_DEFAULT = Settings()

# Option, type, default and help; the name of a field of the settings is the option's.
_OPTIONS = (
    ("--host", str, "address to listen on"),
    ("--port", int, "port of REST; 0 lets the system choose"),
    ("--grpc-port", int, "port of gRPC; none without it"),
    ("--tls-cert", str, "file of the certificate chain, PEM"),
    ("--tls-key", str, "file of its key, PEM"),
    ("--max-body", int, "bytes of a request"),
    ("--max-rows", int, "rows of a request"),
    ("--max-queue", int, "requests that wait; further ones get 429"),
    ("--max-connections", int, "open connections"),
    ("--timeout", float, "seconds of a request"),
    ("--drain", float, "seconds that open requests get after SIGTERM"),
    ("--n-workers", int, "requests computed at once; default: the cores"),
    ("--n-threads", int, "threads of one request"),
    ("--batch-window-ms", float, "milliseconds to wait for rows of other requests"),
    ("--batch-rows", int, "rows computed together"),
    ("--reload-seconds", float, "seconds between looks at the files; 0: never"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 1 for files that cannot be served."""
    given = vars(_parser().parse_args(arguments))
    try:
        _serve(given.pop("models"), given)
    except (MissingDependencyError, OnnxFileError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_deep serve",
        description="Answer requests with exported models, by REST and gRPC.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("models", nargs="+", help="an ONNX file, or a folder of them")
    for option, kind, text in _OPTIONS:
        field = option[2:].replace("-", "_")
        default = getattr(_DEFAULT, field)
        parser.add_argument(option, type=kind, default=default, help=text)
    parser.add_argument(
        "--token-file",
        help=f"file with the token that clients send; else {TOKEN_VARIABLE} is read",
    )
    parser.add_argument(
        "--no-access-log",
        dest="access_log",
        action="store_false",
        help="log no requests",
    )
    return parser


def _serve(models: list[str], given: dict) -> None:
    try:
        from sklearn_deep.serving.server import _repository, _run
    except ModuleNotFoundError as error:
        raise MissingDependencyError("serve", str(error.name), "serve") from error
    token = _token(given.pop("token_file"))
    settings = Settings(**given, token=token)
    _run.log_to_stderr()
    repository = _repository.Repository(models, n_threads=settings.n_threads)
    _run.run(repository, settings)


def _token(path: str | None) -> str | None:
    """The token of the file, or of the environment."""
    if path is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    token = Path(path).read_text(encoding="utf-8").strip()
    if not token:
        raise ValueError(f"The file {path!r} holds no token.")
    return token
