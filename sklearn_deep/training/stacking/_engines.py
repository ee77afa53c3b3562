"""Engines that run groups of tasks: what differs between joblib's backends.

An engine's own libraries are imported where they are used: they are optional.
"""

import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sklearn_deep.exceptions import MissingDependencyError
from sklearn_deep.private._joblib import dask_futures_of

# Bytes from which on an object is sent to a worker once, and not with each group.
_LARGE = 100_000

_FEATURE = "The backend 'stacked' over {!r}"


class Engine:
    """An outer backend that sends arguments itself.

    Attributes
    ----------
    attempts : int
        How often a group is run where its worker is lost.
    """

    attempts = 1

    def ready(self) -> None:
        """Raise an error where it cannot be used."""

    def per_machine(self, outer: Any, n_workers: int) -> int:
        """How many workers share the memory of a machine, at most."""
        return n_workers

    def share(self, objects: Sequence[Any], kept: dict[int, Any]) -> list[Any]:
        """What is sent in place of objects; ``kept`` holds what was stored in a call."""
        return list(objects)

    def renew(self, outer: Any, configure: Callable[[], Any]) -> None:
        """Prepare for further groups after a worker was lost."""

    def cancel(self, outer: Any) -> None:
        """Give up the groups that were sent, beyond what the backend itself does."""

    def fetch(self, objects: Sequence[Any]) -> Sequence[Any]:
        """In a worker: the objects."""
        return objects

    def cores_here(self) -> int | None:
        """In a worker: its cores; None for those that the process may use."""
        return None

    def cancelled_here(self) -> Callable[[], bool] | None:
        """In a worker: tells whether nobody waits for the group any more."""
        return None


class Loky(Engine):
    """Processes on this machine; joblib maps large arrays into their memory."""

    attempts = 3

    def renew(self, outer: Any, configure: Callable[[], Any]) -> None:
        """Start new processes: one that is lost ends all."""
        outer.terminate()
        configure()


class Dask(Engine):
    """Dask: X is sent to a worker once, and workers pass it on."""

    attempts = 3

    def ready(self) -> None:
        """Raise an error where it is not installed."""
        try:
            import distributed  # noqa: F401
        except ImportError as error:
            feature = _FEATURE.format("dask")
            raise MissingDependencyError(feature, "distributed", "dask") from error

    def share(self, objects: Sequence[Any], kept: dict[int, Any]) -> list[Any]:
        """Pickle what is small, in the caller's thread: Dask would never end on an error.

        What is large is an argument, which Dask's backend sends to the workers once.
        """
        import cloudpickle

        large = [i for i, each in enumerate(objects) if _n_bytes(each) >= _LARGE]
        small = [None if i in large else each for i, each in enumerate(objects)]
        return [cloudpickle.dumps((small, large)), *(objects[i] for i in large)]

    def fetch(self, objects: Sequence[Any]) -> Sequence[Any]:
        """The objects."""
        found, large = pickle.loads(objects[0])
        for i, each in zip(large, objects[1:], strict=True):
            found[i] = each
        return found

    def renew(self, outer: Any, configure: Callable[[], Any]) -> None:
        """Send X anew: it may have been lost with the worker."""
        outer.call_data_futures.clear()

    def cancel(self, outer: Any) -> None:
        """Cancel what was sent."""
        outer.client.cancel(dask_futures_of(outer), force=True)

    def cancelled_here(self) -> Callable[[], bool] | None:
        """Whether the worker has been told to forget its task."""
        from distributed import get_worker

        worker = get_worker()
        key = worker.get_current_task()

        def cancelled() -> bool:
            task = worker.state.tasks.get(key)
            return task is None or task.state == "cancelled"

        return cancelled

    def per_machine(self, outer: Any, n_workers: int) -> int:
        """Count the workers of a host."""
        workers = outer.client.scheduler_info(n_workers=-1)["workers"]
        hosts = Counter(worker["host"] for worker in workers.values())
        return max(hosts.values(), default=1)

    def cores_here(self) -> int | None:
        """Threads that the worker has."""
        from distributed import get_worker

        return get_worker().state.nthreads


class Ray(Engine):
    """Ray: large objects are put into its store once, and read there by all workers."""

    attempts = 3

    def ready(self) -> None:
        """Raise an error where it is not installed or not started."""
        try:
            import ray
            from ray.util.joblib import register_ray
        except ImportError as error:
            raise MissingDependencyError(
                _FEATURE.format("ray"), "ray", "ray"
            ) from error
        register_ray()
        if not ray.is_initialized():
            raise ValueError(
                "The backend 'stacked' over 'ray' needs a connection to Ray, and there"
                " is none. Connect to a cluster by ray.init(address='auto'), or start"
                " Ray on this machine by ray.init(include_dashboard=False)."
            )

    def per_machine(self, outer: Any, n_workers: int) -> int:
        """Count the CPUs of a node."""
        import ray

        nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes()]
        return max(1, min(n_workers, int(max(nodes, default=1))))

    def share(self, objects: Sequence[Any], kept: dict[int, Any]) -> list[Any]:
        """Put what is large into the store."""
        import ray

        for each in objects:
            if _n_bytes(each) >= _LARGE and id(each) not in kept:
                kept[id(each)] = each, ray.put(each)
        return [kept.get(id(each), (None, each))[1] for each in objects]

    def renew(self, outer: Any, configure: Callable[[], Any]) -> None:
        """Start new actors: calls of one that is lost fail."""
        outer.terminate()
        configure()

    def fetch(self, objects: Sequence[Any]) -> Sequence[Any]:
        """Read them from the store."""
        import ray

        ref = ray.ObjectRef
        return [ray.get(each) if isinstance(each, ref) else each for each in objects]


ENGINES: dict[str, Engine] = {"loky": Loky(), "dask": Dask(), "ray": Ray()}


def engine_of(name: str) -> Engine:
    """The engine of a joblib backend."""
    return ENGINES.get(name, Engine())


def _n_bytes(value: Any) -> int:
    """Bytes of an array, a sparse matrix or a frame; 0 for what has no such number."""
    for each in (value, getattr(value, "data", None)):
        found = getattr(each, "nbytes", None)
        if isinstance(found, int):
            return found
    usage = getattr(value, "memory_usage", None)
    return int(usage(deep=False).sum()) if callable(usage) else 0
