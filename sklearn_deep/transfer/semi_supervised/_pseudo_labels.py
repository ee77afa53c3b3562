"""Labels of the network's own, for rows of which it is sure, in several rounds."""

from typing import Any

import numpy as np

from sklearn_deep.transfer.semi_supervised._learning import Method


class PseudoLabels(Method):
    """A network that is trained anew on its own sure predictions, round by round.

    Sure rows have at most ``unlabelled_weight`` times the weight of the labelled rows, all
    together.
    """

    def fit(self, rows: np.ndarray, y: np.ndarray, others: np.ndarray) -> Any:
        """Train on labelled rows, then with pseudo-labels of others."""
        network = self.fit_labelled(self.network, rows, y)
        for _ in range(self.settings.rounds if len(others) else 0):
            p = network.predict_proba(self.take(others))
            sure = p.max(1) >= self.settings.threshold
            if not sure.any():
                break
            labels = network.classes_[p.argmax(1)[sure]]
            network = self._with_labels(rows, y, others[sure], labels)
        return network

    def _with_labels(
        self, rows: np.ndarray, y: np.ndarray, sure: np.ndarray, labels: np.ndarray
    ) -> Any:
        together = np.concatenate([rows, sure])
        weight = np.ones(len(together))
        if self.weight is not None:
            weight = self.weight[together]
        share = self.settings.unlabelled_weight * weight[: len(rows)].sum()
        weight[len(rows) :] *= min(1.0, share / max(weight[len(rows) :].sum(), 1e-300))
        targets = np.concatenate([y, labels])
        return self.fit_labelled(self.network, together, targets, sample_weight=weight)
