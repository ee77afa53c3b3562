"""skops, which is optional and imported on first use."""

from collections.abc import Collection, Iterable
from typing import Any

from sklearn_deep._trusted import SKOPS_TRUSTED_TYPES
from sklearn_deep.exceptions import MissingDependencyError, ModelFileError
from sklearn_deep.files._archive import nodes_of, rewrite

# Types that hold data, whatever they hold; NumPy writes a dtype as an empty array.
DEFAULT_TYPES = frozenset([*SKOPS_TRUSTED_TYPES, "numpy.dtype"])

# What a node of a kind may be, unless the user trusts another type: skops calls these
# classes with what the file has.
_CALLED = {
    "DictNode": {
        "builtins.dict",
        "collections.OrderedDict",
        "sklearn.utils._bunch.Bunch",
    },
    "ListNode": {"builtins.list"},
    "SetNode": {"builtins.set"},
    "TupleNode": {"builtins.tuple"},
    "ConstructorFromReduceNode": set(),
    "RandomStateNode": {"numpy.random.mtrand.RandomState"},
}
_LARGEST_POOL = 64


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        feature = "Saving and loading models"
        raise MissingDependencyError(feature, "skops", "files") from error
    return skops.io


def dump(model: Any) -> bytes:
    """A model as an archive.

    Raises
    ------
    ModelFileError
        For an object that skops cannot store.
    """
    io = _skops()
    try:
        return rewrite(io.dumps(model))
    except Exception as error:  # whatever the objects of the user raise
        raise ModelFileError(
            f"{type(model).__name__} holds an object that skops cannot store: {error}"
            " Leave it out of the model, or replace it by a function or class that can be"
            " imported."
        ) from error


def untrusted(archive: bytes, trusted: Collection[str] = ()) -> list[str]:
    """Types of an archive that are trusted neither by default nor by these names."""
    names = _skops().get_untrusted_types(data=archive)
    strange = {name for node in nodes_of(archive, "") for name in _strange(node)}
    return sorted({*names, *strange} - DEFAULT_TYPES - set(trusted))


def load(data: bytes, path: str, trusted: Iterable[Any]) -> Any:
    """The model in an archive.

    Raises
    ------
    ModelFileError
        For types that are not trusted, and for an archive that is not as ``dump`` makes it.
    """
    names = _names(trusted)
    nodes = nodes_of(data, path)
    strange = {name for node in nodes for name in _strange(node)} - names
    # skops copies the list for every node: the types of this file suffice.
    listed = [*names, *DEFAULT_TYPES.intersection(map(_type, nodes))]
    del nodes
    if strange:
        raise ModelFileError(_not_trusted(path, strange))
    return _load(data, path, listed)


def _load(data: bytes, path: str, trusted: list[str]) -> Any:
    io = _skops()
    try:
        return io.loads(data, trusted=trusted)
    except ModelFileError as error:
        raise ModelFileError(f"{path!r} cannot be loaded: {error}") from error
    except io.exceptions.UntrustedTypesFoundException as error:
        names = set(io.get_untrusted_types(data=data)) - set(trusted)
        raise ModelFileError(_not_trusted(path, names)) from error
    except Exception as error:  # content that its own types do not take
        raise ModelFileError(
            f"{path!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def _names(trusted: Iterable[Any]) -> set[str]:
    """Names of types that are given by name or as they are."""
    listed = [] if isinstance(trusted, str) else list(trusted)
    odd = [each for each in listed if not (isinstance(each, str) or callable(each))]
    if odd or isinstance(trusted, str):
        raise TypeError(
            "trusted of sklearn_deep.load is a list of names such as 'my_package.Net', or of"
            f" classes; got {(odd or [trusted])[0]!r}."
        )
    return {
        each if isinstance(each, str) else f"{each.__module__}.{each.__qualname__}"
        for each in listed
    }


def _type(node: dict[str, Any]) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _strange(node: dict[str, Any]) -> set[str]:
    """The type of a node, where it is called and is none of those that may be."""
    loader = node["__loader__"]
    if loader == "RandomGeneratorNode":
        return set() if _has_small_pool(node) else {_type(node)}
    if loader == "NdArrayNode":
        return set() if node["__module__"] == "numpy" else {_type(node)}
    return {_type(node)} - _CALLED.get(loader, {_type(node)})


def _has_small_pool(node: dict[str, Any]) -> bool:
    """Whether the seed of a random generator takes little memory."""
    try:
        pool = node["content"]["seed_seq"]["content"]["pool_size"]["content"]
        return 0 < int(pool) <= _LARGEST_POOL
    except (KeyError, TypeError, ValueError):
        return False


def _not_trusted(path: str, names: Iterable[str]) -> str:
    listed = sorted(names)
    return (
        f"{path!r} holds types that are not trusted by default: {', '.join(listed)}. Nothing"
        " of them was run. If you know them and trust the author of the file, name them:"
        f" load({path!r}, trusted={listed!r})."
    )
