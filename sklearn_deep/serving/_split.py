"""Estimators that compute the first half of a model here, and ask a server for the rest."""

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Protocol

import numpy as np

from sklearn_deep._params import NONE, InstanceOf, Number, Rules, Satisfies
from sklearn_deep.exceptions import OnnxFileError, ServerError
from sklearn_deep.serving._estimators import OnnxClassifier, OnnxRegressor
from sklearn_deep.serving._feeds import make_feeds
from sklearn_deep.serving._metadata_fields import find_invalid_field
from sklearn_deep.serving._outputs import check_no_refusals, output_names, refused_rows
from sklearn_deep.serving._reader import OnnxEstimator
from sklearn_deep.serving._remote import RefusedByServerError, Remote, is_model_url
from sklearn_deep.serving._session import OnnxSession

# Rows of one request.
_ROWS = 1024

# Fields of the metadata that describe the rows; the others describe what is predicted.
_OF_ROWS = (
    "n_features_in",
    "feature_names_in",
    "optional_columns",
    "sequences",
    "pixels",
    "inputs",
    "missing",
    "missing_is_looked_up",
)


class Rest(Protocol):
    """What computes the other half."""

    def infer(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]
    ) -> list[np.ndarray]:
        """Compute outputs from input arrays."""

    def metadata(self) -> dict[str, Any]:
        """Describe the model: names of its inputs."""


class SplitSession:
    """The client's half of a model, joined with what computes the rest.

    It stands for an :class:`OnnxSession` of the whole.

    Parameters
    ----------
    client : OnnxSession
    rest : Rest
    """

    def __init__(self, client: OnnxSession, rest: Rest) -> None:
        self.client, self.rest = client, rest
        self.metadata = _joined_metadata(client.metadata)

    def run(self, role: dict[str, Any], X: Any) -> tuple[list[Any], None]:
        """Compute the outputs that make up one answer of the estimator.

        Raises
        ------
        ValueError
            For rows that the exported estimator refuses; nothing is sent then.
        ServerError
            If the server has no complete answer for every row.
        """
        feeds = make_feeds(X, self.client.metadata)
        tensor = self.client.metadata["outputs"]["transform"]["name"]
        (sent,), refused = self.client.run_feeds(feeds, [tensor])
        if refused is not None:
            check_no_refusals(refused, self.metadata["estimator"])
        names = output_names(role)
        marks = self.metadata["refusals"]
        asked = list(dict.fromkeys([*names, *([marks["name"]] if marks else [])]))
        blocks = [
            self._infer(tensor, block, start, asked)
            for start, block in _blocks(np.ascontiguousarray(sent))
        ]
        joined = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
        outputs = dict(zip(asked, joined, strict=True))
        if marks:
            found = refused_rows(outputs[marks["name"]], marks["form"], None)
            check_no_refusals(found, self.metadata["estimator"])
        return [outputs[name] for name in names], None

    def _infer(
        self, tensor: str, block: np.ndarray, start: int, names: list[str]
    ) -> list[np.ndarray]:
        try:
            return self.rest.infer({tensor: block}, names)
        except RefusedByServerError as error:
            raise ValueError(
                f"The server refuses rows of X; they are counted from row {start} on:"
                f" {error}"
            ) from error
        except ServerError as error:
            self._explain(tensor, error)
            raise

    def _explain(self, tensor: str, error: ServerError) -> None:
        """Raise a clearer error if the server has the half of another model."""
        if error.status not in (400, 404):
            return
        inputs = self.rest.metadata()["inputs"]
        if inputs != [tensor]:
            raise ServerError(
                f"The server has no half of this model: it takes {inputs}, and this file"
                f" gives {tensor!r}. Serve the server's file that sklearn_deep.split wrote"
                " together with this one.",
                error.status,
            ) from error


def _blocks(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(rows), _ROWS):
        yield start, rows[start : start + _ROWS]


def _joined_metadata(client: dict[str, Any]) -> dict[str, Any]:
    """Metadata of the whole: rows as the client's half, predictions as the other one.

    Raises
    ------
    OnnxFileError
        If the file is no client's half, or is damaged.
    """
    about = client.get("split") or {}
    if about.get("half") != "client" or "rest" not in about:
        raise OnnxFileError(
            "The file is not the client's half of a model. Give the client's file that"
            " sklearn_deep.split wrote."
        )
    invalid = find_invalid_field(about["rest"])
    if invalid is not None:
        raise OnnxFileError(
            f"The metadata of the other half are damaged: {invalid}. Split the estimator"
            " again with sklearn_deep.split."
        )
    joined = {**about["rest"], **{k: client[k] for k in _OF_ROWS if k in client}}
    invalid = find_invalid_field(joined)
    if invalid is not None:
        raise OnnxFileError(f"The metadata of both halves do not fit: {invalid}.")
    return joined


class SplitEstimator(OnnxEstimator):
    """Base class of the readers that compute one half of a model."""

    _rules: ClassVar[Rules] = {
        **OnnxEstimator._rules,
        "url": (
            Satisfies(
                is_model_url,
                "the address of a model, such as"
                " 'http://127.0.0.1:8080/v2/models/NAME', without a password",
            ),
        ),
        "token": (NONE, InstanceOf((str,), "a string")),
        "timeout": (Number(low=0, open_low=True),),
        "retries": (Number(Integral, 0),),
    }

    def __init__(
        self,
        model,
        url,
        *,
        token=None,
        timeout=10.0,
        retries=3,
        n_threads=None,
        verify=True,
    ):
        super().__init__(model, n_threads=n_threads, verify=verify)
        self.url = url
        self.token = token
        self.timeout = timeout
        self.retries = retries

    def _read_as(self, opened: OnnxSession) -> Any:
        """The client's half, joined with the model on the server."""
        remote = Remote(self.url, self.token, float(self.timeout), self.retries)
        joined = SplitSession(opened, remote)
        if joined.metadata["task"] != self._task:
            raise OnnxFileError(
                f"The file holds half of a {joined.metadata['task']}; read it with"
                f" sklearn_deep.Split{joined.metadata['task'].capitalize()}."
            )
        return joined


class SplitClassifier(SplitEstimator, OnnxClassifier):
    """A classifier whose first half runs here, and the rest on a server.

    It reads the client's file that :func:`split` wrote, without torch and skorch, and
    sends one array per request to the server's half, by the Open Inference Protocol.
    A request without a complete answer is repeated after a random, growing time; if there
    is none in the end, it raises :class:`ServerError` and predicts nothing. Rows that the
    pipeline refuses are not sent.

    Parameters
    ----------
    model : str, os.PathLike or bytes-like
        Path of the client's file, or its content.
    url : str
        Address of the server's half, such as ``"http://127.0.0.1:8080/v2/models/NAME"``;
        with ``https`` the certificate is verified.
    token : str, default=None
        Sent as a bearer token. Pickles contain it.
    timeout : float, default=10.0
        Seconds of one request.
    retries : int, default=3
        Number of repetitions after a lost connection, a time-out, or the status 429
        (too many requests) or 503 (unavailable).
    n_threads : int, default=None
        Number of threads of the client's half; None leaves the choice to onnxruntime.
    verify : bool, default=True
        Whether to check the client's file, as in :class:`OnnxClassifier`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the estimator was exported with a frame.
    receipt_ : dict
        Rows that both halves were compared on, and their largest differences.

    Raises
    ------
    OnnxFileError
        At the first use, for a file that is not the client's half of a classifier.
    ServerError
        From predictions, if the server does not answer, or has another model's half.

    See Also
    --------
    split : Writes both files.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, SplitClassifier, split
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((16, 4), max_epochs=5, random_state=0).fit(X, y)
    >>> halves = split(net, X, at="relu_2")
    >>> url = "http://127.0.0.1:8080/v2/models/iris"
    >>> reader = SplitClassifier(halves.client.to_bytes(), url)
    >>> reader.classes_
    array([0, 1, 2])
    >>> reader.predict(X)  # doctest: +SKIP
    """


class SplitRegressor(SplitEstimator, OnnxRegressor):
    """A regressor whose first half runs here, and the rest on a server.

    It reads the client's file that :func:`split` wrote, without torch and skorch, and
    sends one array per request to the server's half, by the Open Inference Protocol.
    A request without a complete answer is repeated after a random, growing time; if there
    is none in the end, it raises :class:`ServerError` and predicts nothing. Rows that the
    pipeline refuses are not sent.

    Parameters
    ----------
    model : str, os.PathLike or bytes-like
        Path of the client's file, or its content.
    url : str
        Address of the server's half, such as ``"http://127.0.0.1:8080/v2/models/NAME"``;
        with ``https`` the certificate is verified.
    token : str, default=None
        Sent as a bearer token. Pickles contain it.
    timeout : float, default=10.0
        Seconds of one request.
    retries : int, default=3
        Number of repetitions after a lost connection, a time-out, or the status 429
        (too many requests) or 503 (unavailable).
    n_threads : int, default=None
        Number of threads of the client's half; None leaves the choice to onnxruntime.
    verify : bool, default=True
        Whether to check the client's file, as in :class:`OnnxRegressor`.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the estimator was exported with a frame.
    receipt_ : dict
        Rows that both halves were compared on, and their largest differences.

    Raises
    ------
    OnnxFileError
        At the first use, for a file that is not the client's half of a regressor.
    ServerError
        From predictions, if the server does not answer, or has another model's half.

    See Also
    --------
    split : Writes both files.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_deep import MLPRegressor, SplitRegressor, split
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = MLPRegressor((16,), max_epochs=5, random_state=0).fit(X, y)
    >>> halves = split(net, X, at=0, bits=8)
    >>> url = "http://127.0.0.1:8080/v2/models/diabetes"
    >>> SplitRegressor(halves.client.to_bytes(), url).n_features_in_
    10
    """
