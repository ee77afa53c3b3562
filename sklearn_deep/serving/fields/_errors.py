"""Faults in rows of a request, each with its field and its fix."""

from collections.abc import Sequence


class FieldError(ValueError):
    """One value that the model does not take.

    Parameters
    ----------
    field : str
        Place of the value, such as ``"rows[3].age"``.
    message : str
        What is wrong with it.
    fix : str
        What to do.
    """

    def __init__(self, field: str, message: str, fix: str) -> None:
        self.field, self.message, self.fix = field, message, fix
        super().__init__(f"{field} {message}. {fix}")


class FieldErrors(ValueError):
    """All faults of a request, in the order of its rows.

    Parameters
    ----------
    errors : sequence of FieldError
    """

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = list(errors)
        more = len(self.errors) - 1
        also = f" (and {more} more)" if more else ""
        super().__init__(f"{self.errors[0]}{also}" if self.errors else "")
