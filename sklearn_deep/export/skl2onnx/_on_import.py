"""Registers our converters when it is imported; a failure is a warning, never an error.

This runs inside a user's ``import skl2onnx`` or ``from sklearn_deep import ...``, which
must succeed with any release of the ONNX libraries. ``to_onnx`` raises an error instead.
"""

import warnings

from sklearn_deep.exceptions import SklearnDeepWarning

try:
    from sklearn_deep.export.skl2onnx._private import check_names

    check_names()  # before other modules import these names

    from sklearn_deep.export.skl2onnx._registration import register

    register()
except Exception as error:  # another release may raise any error
    warnings.warn(
        "skl2onnx will not convert estimators of sklearn_deep, as their converters could"
        f" not be registered. {error}",
        SklearnDeepWarning,
        stacklevel=2,
    )
