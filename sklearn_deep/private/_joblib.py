"""Everything private that this package uses of joblib."""

from collections.abc import Callable
from typing import Any

from sklearn_deep.private._library import Library

TESTED = ">=1.3,<1.7"

_backend = Library("joblib", TESTED, "The backend 'stacked'")

# Calls of a batch: (function, args, kwargs). Without them every fit copies its rows.
calls_of = _backend.attribute("items", None)

# Where loky writes large arrays for its workers: by default into a folder that is removed
# at the end of the process, with this into that of the call.
_workers_of = _backend.attribute("_workers", None)
_folders_of = _backend.attribute("_temp_folder_manager", None)
_id_of = _backend.attribute("_id", None)


def sends_memmaps_of(backend: Any, parallel: Any) -> Callable[[], None]:
    """Make a function to call before a task is pickled for a worker."""

    def choose_folder() -> None:
        folders = _folders_of(_workers_of(backend))
        if folders is not None:
            folders.set_current_context(_id_of(parallel))

    return choose_folder


_results_of = _backend.attribute("_results", ())


def dask_futures_of(backend: Any) -> list[Any]:
    """Futures of the tasks that a Dask backend waits for."""
    return list(_results_of(backend))
