"""The ``checkpoint`` parameter: where and how often the state of a fit is stored."""

from dataclasses import dataclass, replace
from numbers import Integral
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from sklearn_deep._params import InstanceOf, Number, OneOf, Rules, check_params
from sklearn_deep.exceptions import InvalidParameterError

_FOLDER = (InstanceOf((str, PathLike), "a str or a path"),)
_RULES: Rules = {
    "folder": _FOLDER,
    "every_seconds": (Number(low=0), OneOf(None)),
    "every_epochs": (Number(Integral, 1), OneOf(None)),
    "keep": (Number(Integral, 1),),
    "on_done": (OneOf("keep", "remove"),),
}


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often the state of a fit is stored, for it to continue from there.

    Pass it as the ``checkpoint`` parameter of a network; a folder alone stands for
    ``Checkpoint(folder)``. A fit stores its state under a key that follows from everything
    that decides its result. A fit with the same key, in this process or in a later one,
    continues from the state, and gives the same network as if it had never stopped; if
    the state is that of a finished fit, it is returned without training.

    Parameters
    ----------
    folder : str or path
        Folder of the states; it is created if there is none. Any number of fits,
        searches and processes may share it.
    every_seconds : float or None, default=30
        Seconds after which the state is stored, at the next end of an epoch; later where
        storing would take more than a fiftieth of the time. 0 stores each epoch; None
        sets no such time.
    every_epochs : int or None, default=None
        Number of epochs after which the state is stored; None sets no such number. The
        state at the end of the fit is always stored.
    keep : int, default=1
        Number of states that are kept of each fit. If the last one is damaged, the fit
        continues from the one before.
    on_done : {"keep", "remove"}, default="keep"
        Whether the state of a finished fit is kept, so that the same fit returns at
        once. A search that is killed needs those of its finished fits.

    Raises
    ------
    InvalidParameterError
        In ``fit``, if a parameter is invalid.

    See Also
    --------
    checkpoint_report : Lists what a folder holds.
    clear_checkpoints : Deletes states.

    Examples
    --------
    >>> from sklearn_deep import Checkpoint
    >>> Checkpoint("states", every_seconds=60)
    Checkpoint(folder='states', every_seconds=60, every_epochs=None, keep=1, on_done='keep')
    """

    folder: str | PathLike[str]
    every_seconds: float | None = 30
    every_epochs: int | None = None
    keep: int = 1
    on_done: str = "keep"

    @property
    def path(self) -> Path:
        """The folder as a path."""
        return Path(fspath(self.folder)).expanduser()


def with_text_folder(value: Any) -> Any:
    """The ``checkpoint`` parameter with its folder as a str, for files.

    A path is of a type that belongs to one operating system, and runs code when it is built.
    """
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Checkpoint):
        return replace(value, folder=fspath(value.folder))
    return value


def make_checkpoint(owner: str, value: Any) -> Checkpoint | None:
    """Check the ``checkpoint`` parameter: None, a folder, or a ``Checkpoint``.

    Raises
    ------
    InvalidParameterError
        If it is something else, or a parameter of the ``Checkpoint`` is invalid.
    """
    if value is None:
        return None
    if _FOLDER[0].allows(value):
        value = Checkpoint(value)
    if not isinstance(value, Checkpoint):
        raise InvalidParameterError(
            f"The 'checkpoint' parameter of {owner} must be a folder (a str or a path), a"
            f" Checkpoint, or None. Got {value!r} instead."
        )
    check_params(value, _RULES)
    return value
