"""Private names of a library, looked up so that a missing one breaks one feature.

Nothing here raises while a module is imported. A name that a release has renamed is None
or a default where a public way exists, and an error in the one feature that needs it.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any

_NEEDED = object()


class Library:
    """A library, and the versions that its private names were tested with.

    Parameters
    ----------
    name : str
        Name of the distribution, as pip has it.
    tested : str
        Versions, as in a requirement.
    feature : str
        What does not work without the names.
    error : type of ImportError
        Class of the error that says so.

    Attributes
    ----------
    absent : list of str
        Names that the installed version lacks.
    """

    def __init__(
        self,
        name: str,
        tested: str,
        feature: str,
        error: type[ImportError] = ImportError,
    ):
        self.name, self.tested, self.feature = name, tested, feature
        self.error = error
        self.absent: list[str] = []

    def find(self, module: str, name: str) -> Any:
        """Get a name of a module, dotted for one of a class; None where it is absent."""
        try:
            value = import_module(module)
            for part in name.split("."):
                value = getattr(value, part)
        except (ImportError, AttributeError):
            self.absent.append(f"{module}.{name}")
            return None
        return value

    def find_class(self, module: str, name: str) -> type:
        """Get a class to derive from; an object of a substitute raises the error."""
        found = self.find(module, name)
        if found is not None:
            return found
        error = self.unsupported(f"it has no {module}.{name}")

        def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
            raise error

        return type(name, (), {"__init__": refuse})

    def attribute(self, name: str, default: Any = _NEEDED) -> Callable[[Any], Any]:
        """Make a function that reads an attribute of an object.

        Without a default, it raises the error for an object that lacks the attribute.
        """

        def read(owner: Any) -> Any:
            value = getattr(owner, name, default)
            if value is _NEEDED:
                raise self.unsupported(f"its {type(owner).__name__} has no {name}")
            return value

        return read

    @staticmethod
    def recognizer(module: str, name: str) -> Callable[[Any], bool]:
        """Make a function that tells whether it is given a function of that name.

        Nothing is imported for it, and a function that wraps it passes for it.
        """

        def is_it(function: Any) -> bool:
            place = getattr(function, "__module__", None)
            return place == module and getattr(function, "__name__", None) == name

        return is_it

    def unsupported(self, reason: object) -> ImportError:
        """Make the error, which says which versions work."""
        return self.error(
            f"{self.feature} does not work with {self.name} {version(self.name)}:"
            f" {reason}. Install a version that it was tested with: pip install"
            f" '{self.name}{self.tested}'."
        )
