"""Base class of the convolutional estimators: images, and series of any length."""

from sklearn_deep.data._features import Features
from sklearn_deep.data._series_features import SeriesFeatures
from sklearn_deep.estimators.families._convolutional import ConvolutionalEstimator
from sklearn_deep.estimators.families._lengths import VariableLengthEstimator
from sklearn_deep.nn._cnn import ARCHITECTURES


class SeriesEstimator(VariableLengthEstimator, ConvolutionalEstimator):
    """Accepts images and series, and with global pooling series of unequal length.

    A list of arrays of equal shape is one array. Its rows are images, unless
    ``spatial_dims`` or the rows of the fit are of another kind.
    """

    # Convolutions also compute padding; batches of similar length have little.
    _batches_by_length = True

    def _pools_all(self) -> bool:
        """Tell whether global pooling reduces a series to one position."""
        default = ARCHITECTURES[self.architecture].global_pooling[1]
        return self._chosen("global_pooling", default) is not None

    def _make_features(self) -> Features:
        return SeriesFeatures(
            type(self).__name__,
            self.input_shape,
            self.spatial_dims,
            self.channels,
            self._pools_all(),
        )
