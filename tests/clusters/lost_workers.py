"""An estimator whose fit ends its process once, and what is counted of the fits."""

import os
import signal
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone


class EndsItsProcess(ClassifierMixin, BaseEstimator):
    """A classifier around another; of the fits that start, the Nth ends its process.

    Parameters
    ----------
    model : estimator
    folder : path
        Holds a file for each fit that has started.
    at : int
        Which fit it is; 0 for none.
    k : int
        To be searched.
    """

    def __init__(self, model=None, folder=None, at=0, k=0):
        self.model, self.folder, self.at, self.k = model, folder, at, k

    def fit(self, X, y):
        """Fit the other one."""
        self.classes_ = np.unique(y)
        self.model_ = clone(self.model).set_params(random_state=self.k)
        if count(self.folder) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.model_.fit(X, y)
        return self

    def predict(self, X):
        """Predict as it does."""
        return self.model_.predict(X)


def count(folder):
    """Note an event in a folder; its number from 1 on."""
    n = 1
    while True:
        try:
            (Path(folder) / f"{n}.event").touch(exist_ok=False)
        except FileExistsError:
            n += 1
        else:
            return n
