"""Convolutional networks over series of any length."""

from sklearn_deep.data._features import Features
from sklearn_deep.data._series_features import SeriesFeatures
from sklearn_deep.estimators.families._convolutional import Convolutional
from sklearn_deep.estimators.families._lengths import TakesLengths
from sklearn_deep.nn._cnn import ARCHITECTURES


class SeriesOfAnyLength(TakesLengths, Convolutional):
    """Takes series of unequal length where global pooling makes their widths one.

    Series of one shape are an array, in a list too: of images, where ``spatial_dims``
    and the fit do not say otherwise.
    """

    # Batches of about one length have little padding, which convolutions compute.
    _batches_by_length = True

    def _pools_all(self) -> bool:
        """Tell whether all positions of a series become one."""
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
