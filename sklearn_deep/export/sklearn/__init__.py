"""ONNX rules of scikit-learn estimators; importing this package registers them."""

import sklearn_deep.export.sklearn._calibration
import sklearn_deep.export.sklearn._clusters
import sklearn_deep.export.sklearn._composition
import sklearn_deep.export.sklearn._distributions
import sklearn_deep.export.sklearn._encoders
import sklearn_deep.export.sklearn._ensembles
import sklearn_deep.export.sklearn._histogram_boosting
import sklearn_deep.export.sklearn._imputers
import sklearn_deep.export.sklearn._linear
import sklearn_deep.export.sklearn._multiclass
import sklearn_deep.export.sklearn._neighbours
import sklearn_deep.export.sklearn._projections
import sklearn_deep.export.sklearn._scalers
import sklearn_deep.export.sklearn._texts
import sklearn_deep.export.sklearn._trees  # noqa: F401
