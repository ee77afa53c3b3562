"""The types that skops must trust to load a fitted estimator.

The list is written out instead of computed, so that users can read what they trust. It
names estimators and types of plain data, but nothing that runs code from a file: no
torch module, no function. ``tests/test_trusted.py`` checks that it is complete.
"""

_PUBLIC = {
    "augmentation._auto": ["AutoAugment"],
    "augmentation._base": ["Augmentation"],
    "augmentation._colour": ["Brightness", "Contrast"],
    "augmentation._geometry": ["Rotation", "Scaling", "Translation"],
    "augmentation._image": ["Crop", "Erasing", "Flip"],
    "augmentation._mix": ["CutMix", "Mixup"],
    "augmentation._policies": ["Policy", "RandAugment", "TrivialAugment"],
    "augmentation._series": [
        "Jitter",
        "MagnitudeScaling",
        "SegmentPermutation",
        "TimeShift",
        "TimeWarp",
        "WindowSlice",
    ],
    "augmentation._table": ["FeatureMask", "GaussianNoise", "SwapNoise"],
    "compression._prune": ["Pruned"],
    "compression._quantize": ["Quantized"],
    "compression._slice": ["Sliced"],
    "estimators.families._autoencoder": ["MLPAutoencoder"],
    "estimators.families._cnn": ["CNNClassifier", "CNNRegressor"],
    "estimators.families._conv_autoencoder": ["CNNAutoencoder"],
    "estimators.meta._holdout": ["ValidationHoldout"],
    "estimators.meta._lr_finder": ["LearningRateFinder"],
    "estimators.families._mlp": ["MLPClassifier", "MLPRegressor"],
    "estimators.families._module": ["ModuleClassifier", "ModuleRegressor"],
    "estimators.families._rnn": ["RNNClassifier", "RNNRegressor"],
    "estimators.families._tabular": ["TabularClassifier", "TabularRegressor"],
    "scale.federated._federated": ["FederatedClassifier", "FederatedRegressor"],
    "scale.chunked._chunked_fit": ["ChunkedFit"],
    "serving._estimators": ["OnnxClassifier", "OnnxRegressor", "OnnxTransformer"],
    "serving._multi_task": ["OnnxMultiTask"],
    "serving._split": ["SplitClassifier", "SplitRegressor"],
    "transfer._features": ["NetworkFeatures"],
    "transfer.fine_tuning._fine_tuned": ["FineTuned"],
    "transfer.multi_task._multi_task": ["MultiTask"],
    "transfer.semi_supervised._semi_supervised": ["SemiSupervised"],
}

# Types in fitted estimators: plain data and arrays.
_HELD = {
    "data._column_codes": ["Categories"],
    "data._features": ["ModuleFeatures", "ReconstructedTable", "TableFeatures"],
    "data._frame_encoding": ["FrameEncoding"],
    "data._frame_features": ["FrameFeatures"],
    "data._layout": ["Layout"],
    "data._learnt_columns": [
        "BooleanColumn",
        "CategoryColumn",
        "NumberColumn",
        "TimeColumn",
    ],
    "data._ragged": ["_SeriesLayout"],
    "data._reconstruction": ["Reconstruction"],
    "data._scaling": ["Scaling"],
    "data._sequence_features": ["SequenceFeatures"],
    "data._series_features": ["SeriesFeatures"],
    "data._spatial_features": ["ReconstructedSpatial"],
    "data._targets": ["ClassTargets", "RealTargets"],
    "estimators.tasks._several": ["TaskPart"],
    "nn._losses": ["Loss"],
    "training.job._checkpoint": ["Checkpoint"],
    "training.job._job": ["NetSettings", "OptimizerSpec"],
    "transfer.conversion._graph": ["OnnxGraph", "Step"],
    "transfer.conversion._network": ["NetworkMaker"],
    "transfer.multi_task._declared": ["LearntTarget"],
    "transfer.semi_supervised._labelled_only": ["LabelledOnly"],
}

# Types that hold data in fitted searches with default scoring, ensembles and calibrations
# of scikit-learn, and that skops does not trust by default; the metadata requests only up to
# scikit-learn 1.8.
_OF_SCIKIT_LEARN = [
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
]

SKOPS_TRUSTED_TYPES = [
    *(
        f"sklearn_deep.{module}.{name}"
        for table in (_PUBLIC, _HELD)
        for module, names in table.items()
        for name in names
    ),
    *_OF_SCIKIT_LEARN,
]
"""Names of the types in fitted estimators of this package, for ``skops.io.load``.

Pass it as ``trusted`` to ``skops.io.load`` or as ``skops_trusted_types`` to
``mlflow.sklearn``. The classes of your own modules, callbacks and augmentations are not
in the list: add those that you trust. See the user guide, :doc:`/user_guide/files`.
"""
