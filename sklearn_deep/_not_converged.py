"""The warning of a fit that ended early: one of scikit-learn's own kind.

It is not in ``exceptions.py``, which loads without scikit-learn.
"""

from sklearn.exceptions import ConvergenceWarning

from sklearn_deep.exceptions import FitWarning


class NotConvergedWarning(FitWarning, ConvergenceWarning):
    """Training ended at ``max_epochs`` while the loss was still falling.

    It is scikit-learn's ``ConvergenceWarning`` too, so that filters for that one apply.
    There is none where the loss has settled, which a schedule that lowers the learning
    rate brings about, nor where the validation rows say that the best epoch has passed.
    """
