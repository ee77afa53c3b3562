"""Engines that run groups of tasks: what differs between joblib's backends.

An engine's own libraries are imported where they are used: they are optional.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sklearn_deep.exceptions import MissingDependencyError

_FEATURE = "The backend 'stacked' over {!r}"


class Engine:
    """An outer backend that sends arguments itself."""

    def ready(self) -> None:
        """Raise an error where it cannot be used."""

    def per_machine(self, outer: Any, n_workers: int) -> int:
        """How many workers share the memory of a machine, at most."""
        return n_workers

    def share(self, objects: Sequence[Any], kept: dict[int, Any]) -> list[Any]:
        """What is sent in place of objects; ``kept`` holds what was stored in a call."""
        return list(objects)

    def fetch(self, objects: Sequence[Any]) -> Sequence[Any]:
        """In a worker: the objects."""
        return objects

    def cores_here(self) -> int | None:
        """In a worker: its cores; None for those that the process may use."""
        return None


class Dask(Engine):
    """Dask: X is sent to a worker once, and workers pass it on."""

    def ready(self) -> None:
        """Raise an error where it is not installed."""
        try:
            import distributed  # noqa: F401
        except ImportError as error:
            feature = _FEATURE.format("dask")
            raise MissingDependencyError(feature, "distributed", "dask") from error

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

    _LARGE = 100_000  # bytes

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
            if _n_bytes(each) >= self._LARGE and id(each) not in kept:
                kept[id(each)] = each, ray.put(each)
        return [kept.get(id(each), (None, each))[1] for each in objects]

    def fetch(self, objects: Sequence[Any]) -> Sequence[Any]:
        """Read them from the store."""
        import ray

        ref = ray.ObjectRef
        return [ray.get(each) if isinstance(each, ref) else each for each in objects]


ENGINES: dict[str, Engine] = {"loky": Engine(), "dask": Dask(), "ray": Ray()}


def engine_of(name: str) -> Engine:
    """The engine of a joblib backend."""
    return ENGINES.get(name, ENGINES["loky"])


def _n_bytes(value: Any) -> int:
    """Bytes of an array, a sparse matrix or a frame; 0 for what has no such number."""
    for each in (value, getattr(value, "data", None)):
        found = getattr(each, "nbytes", None)
        if isinstance(found, int):
            return found
    usage = getattr(value, "memory_usage", None)
    return int(usage(deep=False).sum()) if callable(usage) else 0
