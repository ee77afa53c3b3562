"""A table of every place at which a pipeline can be cut."""

from dataclasses import dataclass
from typing import Any

from sklearn_deep.inspection._compression_report import CompressionReport

ON_SERVER, ON_CLIENT = "(all on the server)", "(all on the client)"


@dataclass(frozen=True)
class SplitReport:
    """Table with one row per cut, and one each for all on the server or the client.

    Parameters
    ----------
    names : list of str
        Names of the rows.
    columns : dict of str to ndarray of shape (n_rows,)
        ``"row_bytes"`` that cross for a row; ``"client_bytes"`` and ``"server_bytes"`` of
        the files; median ``"client_us"`` and ``"server_us"``, microseconds for one row on
        this machine; ``"total_us"`` by the weights that were given. With ``bits=8``
        ``"score_drop"``, the loss by rounding what crosses.

    Attributes
    ----------
    layers_ : list of str
        Names of the places to cut at, as ``split`` takes them.
    best_ : str
        The place with the smallest ``"total_us"``.

    See Also
    --------
    split_report : Makes it.

    Examples
    --------
    >>> from sklearn_deep import SplitReport
    >>> columns = {"row_bytes": [40, 16], "total_us": [400.0, 250.5]}
    >>> report = SplitReport(["relu_1", "relu_2"], columns)
    >>> report.best_
    'relu_2'
    >>> print(report)
            row_bytes  total_us
    relu_1         40       400
    relu_2         16     250.5
    """

    names: list[str]
    columns: dict[str, Any]

    @property
    def layers_(self):
        """Names of the places to cut at."""
        return [name for name in self.names if name not in (ON_SERVER, ON_CLIENT)]

    @property
    def best_(self):
        """The place with the smallest total time."""
        return self.best_within(None)

    def best_within(self, max_client_bytes):
        """Find the place with the smallest total time for a client of limited size.

        Parameters
        ----------
        max_client_bytes : int or None
            Largest file of the client; None for any.

        Returns
        -------
        layer : str
            Name of the place.

        Raises
        ------
        ValueError
            If the client's half is larger at every place.
        """
        places = [k for k, name in enumerate(self.names) if name in self.layers_]
        if max_client_bytes is not None:
            sizes = self.columns["client_bytes"]
            least = min(sizes[k] for k in places)
            places = [k for k in places if sizes[k] <= max_client_bytes]
            if not places:
                raise ValueError(
                    f"max_client_bytes={max_client_bytes}: the smallest client's half has"
                    f" {least:.0f} bytes. Raise it, or let the server do all."
                )
        return self.names[min(places, key=lambda k: self.columns["total_us"][k])]

    def to_frame(self):
        """Convert the table to a DataFrame; needs pandas.

        Returns
        -------
        frame : DataFrame
            One row per place.
        """
        return CompressionReport(self.names, self.columns, []).to_frame()

    def __str__(self) -> str:
        return str(CompressionReport(self.names, self.columns, []))
