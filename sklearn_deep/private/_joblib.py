"""Everything private that this package uses of joblib."""

from sklearn_deep.private._library import Library

TESTED = ">=1.3,<1.7"

_backend = Library("joblib", TESTED, "The backend 'stacked'")

# Calls of a batch: (function, args, kwargs). Without them every fit copies its rows.
calls_of = _backend.attribute("items", None)
