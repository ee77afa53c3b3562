"""Ed25519 signatures of model files, by cryptography, which is optional."""

import os
from typing import Any

from sklearn_deep.exceptions import MissingDependencyError, ModelFileError
from sklearn_deep.files._container import Container

# What is signed: this, and the SHA-256 of the body. No signature of anything else fits.
_PURPOSE = b"sklearn_deep model file, format 1\n"


def sign(path: str | os.PathLike, private_key: Any) -> None:
    """Sign a file of :func:`save`, in place.

    The signature stands in the head of the file. It covers the whole content, and
    ``load(path, public_key=...)`` checks it before anything is read. It replaces an earlier
    one. Whoever has the file without the private key can neither change the model nor sign
    another one.

    Parameters
    ----------
    path : str or path-like
        Name of the file. It is replaced as a whole.
    private_key : Ed25519PrivateKey of cryptography, or bytes
        As PEM without a password, if bytes.

    Raises
    ------
    ModelFileError
        For a file that is none of :func:`save`, or is damaged.
    ValueError, TypeError
        For another key.
    MissingDependencyError
        Without cryptography, which the extra ``sign`` installs.

    See Also
    --------
    load : Read a file, and check its signature.

    Examples
    --------
    >>> import os, tempfile
    >>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, load, save, sign
    >>> X, y = load_iris(return_X_y=True)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.skd")
    >>> save(MLPClassifier((8,), max_epochs=2, random_state=0).fit(X, y), path)
    >>> key = Ed25519PrivateKey.generate()
    >>> sign(path, key)
    >>> load(path, public_key=key.public_key()).predict(X).shape
    (150,)
    """
    ed25519, serialization, _ = _cryptography("sign")
    if isinstance(private_key, bytes):
        private_key = serialization.load_pem_private_key(private_key, None)
    _check_key(
        private_key, ed25519.Ed25519PrivateKey, "private_key of sklearn_deep.sign"
    )
    file = Container.read(path)
    file.signed(private_key.sign(_PURPOSE + file.digest)).write()


def check_signature(file: Container, public_key: Any) -> None:
    """Check the signature of a file.

    Raises
    ------
    ModelFileError
        For a file without a signature, or with that of another key.
    """
    ed25519, serialization, invalid = _cryptography("load with a public_key")
    if isinstance(public_key, bytes):
        public_key = serialization.load_pem_public_key(public_key)
    _check_key(public_key, ed25519.Ed25519PublicKey, "public_key of sklearn_deep.load")
    if not file.is_signed:
        raise ModelFileError(
            f"{file.path!r} is not signed. Sign it where it was made, with"
            " sklearn_deep.sign, or load it without public_key."
        )
    try:
        public_key.verify(file.signature, _PURPOSE + file.digest)
    except invalid as error:
        raise ModelFileError(
            f"{file.path!r} was not signed with the private key of this public_key. Nothing"
            " in it was read. Ask its author for the file and for the key."
        ) from error


def _check_key(key: Any, kind: type, what: str) -> None:
    if not isinstance(key, kind):
        raise TypeError(
            f"{what} must be an {kind.__name__} of cryptography, or its PEM as bytes; got"
            f" {type(key).__name__}."
        )


def _cryptography(feature: str) -> tuple[Any, Any, type[Exception]]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingDependencyError(feature, "cryptography", "sign") from error
    return ed25519, serialization, InvalidSignature
