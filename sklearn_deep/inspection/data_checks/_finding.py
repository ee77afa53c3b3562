"""One finding of a check of data."""

from dataclasses import dataclass
from typing import Any

SEVERITIES = ("high", "medium", "low")


@dataclass(frozen=True)
class DataFinding:
    """What a check of data found; ``print`` shows it.

    Parameters
    ----------
    name : str
        Name of the finding, and of the report's attribute without its underscore:
        ``report.clean(X, y, what=name)``.
    severity : {"high", "medium", "low"}
        "high" makes scores wrong; "medium" costs score; "low" may be meant so.
    what : str
        What was found.
    p_value : float
        Probability of such a result, or a clearer one, without the fault.
    advice : str
        What to do.
    code : str
        One line that does it.
    rows : ndarray of int, default=()
        Numbers of the rows of X that are concerned.
    columns : ndarray of int, default=()
        Numbers of the columns of X that are concerned.

    Examples
    --------
    >>> from sklearn_deep import DataFinding
    >>> finding = DataFinding(
    ...     "constant", "low", "columns with one value only: 3.", 0.0,
    ...     "Leave it out.", "X = report.clean(X, what='constant')")
    >>> print(finding)
    [low] constant: columns with one value only: 3. (p = 0)
        Leave it out.
        Code: X = report.clean(X, what='constant')
    """

    name: str
    severity: str
    what: str
    p_value: float
    advice: str
    code: str
    rows: Any = ()
    columns: Any = ()

    def __str__(self) -> str:
        return (
            f"[{self.severity}] {self.name}: {self.what} (p = {self.p_value:.2g})\n"
            f"    {self.advice}\n    Code: {self.code}"
        )
