"""Base class of the recurrent estimators: the features of sequences."""

from sklearn_deep.data._features import Features
from sklearn_deep.data._sequence_features import SequenceFeatures
from sklearn_deep.estimators.core._fitted import FittedAttribute
from sklearn_deep.estimators.families._family import LayeredEstimator
from sklearn_deep.estimators.families._lengths import VariableLengthEstimator


class SequenceEstimator(VariableLengthEstimator, LayeredEstimator):
    """Accepts arrays of sequences, sequences of unequal length, and tokens.

    Subclasses have the parameters ``channels``, ``tokens``, ``analyzer``, ``vocabulary``,
    ``max_vocabulary`` and ``return_sequences``.
    """

    vocabulary_ = FittedAttribute(
        lambda f: f.features.vocabulary,
        "Tokens with an embedding of their own; None for numbers.",
    )

    def _make_features(self) -> Features:
        return SequenceFeatures(
            type(self).__name__,
            self.channels,
            self.tokens,
            self.analyzer,
            self.vocabulary,
            self.max_vocabulary,
            bool(self.return_sequences),
        )

    def __sklearn_tags__(self):
        """Declare that sparse X is refused, and 3-D X accepted."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags
