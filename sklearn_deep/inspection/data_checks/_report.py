"""The report of ``check_data``."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from sklearn_deep._params import OneOf, SequenceOf, check_value
from sklearn_deep.inspection.data_checks._finding import SEVERITIES

_COLUMNS = (
    "severity",
    "name",
    "what",
    "n_rows",
    "n_columns",
    "p_value",
    "advice",
    "code",
)


class DataReport:
    """Findings of :func:`check_data`; ``print`` shows them, a notebook as a table.

    Tables are pandas frames where X is one, with the labels of its rows; else structured
    arrays. Both are indexed by names of their columns, ``report.duplicates_["row"]``, and
    are empty where a check found nothing or did not run.

    Parameters
    ----------
    findings : list of DataFinding
        In order of severity.
    tables : dict of str to dict of str to ndarray
        Columns of the table of each check.
    skipped : dict of str to str
        Checks that did not run, and why.
    removes : dict of str to str
        What ``clean`` does for each finding.
    n_rows : int
        Number of rows of X.
    index : Index or None, default=None
        Labels of the rows of a pandas frame.

    Attributes
    ----------
    findings_ : list of DataFinding
        In order of severity.
    skipped_ : dict of str to str
        Checks that did not run, and why.
    duplicates_, near_duplicates_ : table
        ``row``, the row that it repeats (``of``), adjusted ``p_value``.
    conflicts_ : table
        Equal rows with different targets.
    leaks_ : table
        Rows of X that are in X_test too (``test_row``).
    labels_ : table
        Rows with labels that are probably wrong (``p_wrong``), the clearest first, and the
        class that is suggested.
    label_candidates_ : table
        All rows that confident learning names, the clearest first, whether or not overlap of
        the classes explains them.
    target_outliers_ : table
        Rows with numbers out of the tail of the residuals.
    two_sample_, drift_ : table
        How well X and X_test can be told apart, and columns that differ.
    rare_classes_, rare_groups_, time_order_ : table
        Classes and groups of few rows, and tests of the order of rows.
    constant_, identifiers_, leakage_, irrelevant_ : table
        Columns.
    unscaled_, heavy_tails_, sentinels_, outliers_ : table
        Columns, and values, that hurt a network.
    enough_ : table
        The learning curve, and its continuation to all and to twice the rows.

    See Also
    --------
    check_data : Create a report.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_deep import check_data
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> X[:, 2] = 5.0
    >>> report = check_data(X, random_state=0)
    >>> print(report)
    1 finding in 100 rows
    [low] constant: columns with one value only: 2. (p = 0)
        Leave them out: they tell rows apart by nothing.
        Code: X = report.clean(X, what="constant")
    >>> report.clean(X, what="constant").shape
    (100, 2)
    """

    def __init__(self, findings, tables, skipped, removes, n_rows, index=None):
        self.findings_ = findings
        self.skipped_ = skipped
        self._tables, self._removes = tables, removes
        self._n_rows, self._index = n_rows, index

    def __getattr__(self, name: str) -> Any:
        tables = self.__dict__.get("_tables", {})
        if name.endswith("_") and name[:-1] in tables:
            return self._table(tables[name[:-1]])
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *(f"{name}_" for name in self._tables)])

    def _table(self, columns: dict[str, np.ndarray]) -> Any:
        if self._index is None:
            return _structured(columns)
        import pandas as pd

        labels = self._index[columns["row"]] if "row" in columns else None
        return pd.DataFrame(columns, index=labels)

    def to_frame(self):
        """Convert the findings to a DataFrame; needs pandas.

        Returns
        -------
        frame : DataFrame
            One row per finding.
        """
        import pandas as pd

        return pd.DataFrame(self._cells(), columns=list(_COLUMNS))

    def _cells(self) -> list[list[Any]]:
        counts = [(len(f.rows), len(f.columns)) for f in self.findings_]
        return [
            [f.severity, f.name, f.what, *n, f.p_value, f.advice, f.code]
            for f, n in zip(self.findings_, counts, strict=True)
        ]

    def clean(self, X, y=None, what="high"):
        """Remove what findings name.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, ...)
            The rows that were checked; a copy is changed.
        y : array-like of shape (n_samples,), default=None
            Their targets.
        what : str or sequence of str, default="high"
            Names of findings, or severities for all of these. Rows are left out, columns
            too, and sentinels become missing values. Findings without something to remove
            change nothing.

        Returns
        -------
        X : as given
            A frame stays a frame.
        y : as given
            Only where y was given.

        Raises
        ------
        InvalidParameterError
            For a name that is no finding's and no severity.
        ValueError
            If X has another number of rows than the checked one.
        """
        names = self._chosen([what] if isinstance(what, str) else what)
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        if n != self._n_rows:
            raise ValueError(
                f"clean got X of {n} rows, and the report is about {self._n_rows}."
                " Pass the rows that were checked, before anything is left out."
            )
        found = [f for f in self.findings_ if f.name in names]
        by_kind = {
            kind: [f for f in found if self._removes[f.name] == kind]
            for kind in ("rows", "columns", "values")
        }
        if by_kind["values"]:
            X = without_sentinels(X, self._tables["sentinels"])
        columns = [f.columns for f in by_kind["columns"]]
        if columns:
            X = without_columns(X, np.unique(np.concatenate(columns)))
        dropped = [f.rows for f in by_kind["rows"]]
        if dropped:
            kept = np.setdiff1d(np.arange(n), np.concatenate(dropped))
            X = _safe_indexing(X, kept)
            y = None if y is None else _safe_indexing(y, kept)
        return X if y is None else (X, y)

    def _chosen(self, what: Sequence[str]) -> set[str]:
        every = SequenceOf(OneOf(*SEVERITIES, *self._tables))
        check_value(f"{type(self).__name__}.clean", "what", list(what), (every,))
        return {f.name for f in self.findings_ if f.name in what or f.severity in what}

    def __str__(self) -> str:
        n = len(self.findings_)
        lines = [f"{n or 'no'} finding{'s' if n != 1 else ''} in {self._n_rows:,} rows"]
        lines += [str(finding) for finding in self.findings_]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th>{name}</th>" for name in ("", "finding", "p", "what to do")
        )
        rows = "".join(
            f"<tr><td>{f.severity}</td><td><b>{f.name}</b>: {escape(f.what)}</td>"
            f"<td>{f.p_value:.2g}</td>"
            f"<td>{escape(f.advice)}<br><code>{escape(f.code)}</code></td></tr>"
            for f in self.findings_
        )
        title = escape(str(self).split("\n", 1)[0])
        return f"<p>{title}</p><table><tr>{head}</tr>{rows}</table>"


def _structured(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Columns as an array of records."""
    n = len(next(iter(columns.values()))) if columns else 0
    dtype = [(name, column.dtype) for name, column in columns.items()]
    table = np.empty(n, dtype or [("row", np.dtype(np.intp))])
    for name, column in columns.items():
        table[name] = column
    return table


def without_columns(X: Any, columns: np.ndarray) -> Any:
    """X without some columns, by their places."""
    if hasattr(X, "iloc"):
        return X.drop(columns=[X.columns[j] for j in columns])
    if hasattr(X, "get_columns"):
        return X.drop([X.columns[j] for j in columns])
    kept = np.setdiff1d(np.arange(_width(X)), columns)
    return X[:, kept] if hasattr(X, "shape") else np.asarray(X)[:, kept]


def _width(X: Any) -> int:
    return X.shape[1] if hasattr(X, "shape") else len(X[0])


def without_sentinels(X: Any, table: dict[str, np.ndarray]) -> Any:
    """X with missing values in the place of sentinels."""
    pairs = list(zip(table["column"], table["value"], strict=True))
    if hasattr(X, "iloc"):
        X = X.copy()
        for j, value in pairs:
            X[X.columns[j]] = X.iloc[:, j].mask(X.iloc[:, j] == value)
        return X
    if hasattr(X, "get_columns"):
        columns = X.get_columns()
        return X.with_columns([columns[j].replace(v, None) for j, v in pairs])
    dense = X.toarray() if hasattr(X, "toarray") else X
    filled = np.array(dense, np.result_type(np.asarray(dense).dtype, np.float32))
    for j, v in pairs:
        filled[filled[:, j] == v, j] = np.nan
    return filled
