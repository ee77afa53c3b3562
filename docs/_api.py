"""The API page: every public name once, in the group where a user looks for it.

``GROUPS`` is the one table. A public name that it lacks, or that it has twice, is an
error of the build and of the tests.
"""

import sklearn_deep

# (title, one line on the group, names); a title that starts with a space is a part of
# the group above it.
GROUPS = [
    (
        "Tables",
        "Frames as they are, with text and missing values: ``Tabular...``. Rows of scaled"
        " numbers, sparse ones too: ``MLP...``. :doc:`user_guide/tables`,"
        " :doc:`user_guide/network`.",
        ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"],
    ),
    (
        "Images and series",
        "Convolutions over images and over time. :doc:`user_guide/images`.",
        ["CNNClassifier", "CNNRegressor"],
    ),
    (
        "Sequences and texts",
        "Recurrent networks: series, sequences of unequal length, tokens, texts."
        " :doc:`user_guide/sequences`.",
        ["RNNClassifier", "RNNRegressor"],
    ),
    (
        "Your own networks",
        "Any ``torch.nn.Module`` as an estimator. :doc:`user_guide/modules`.",
        ["ModuleClassifier", "ModuleRegressor"],
    ),
    (
        "Features",
        "Transformers: codes, reconstructions, what a layer gives."
        " :doc:`user_guide/features`.",
        ["CNNAutoencoder", "MLPAutoencoder", "NetworkFeatures"],
    ),
    (
        "Fine-tuning",
        "Networks that begin where others ended. :doc:`user_guide/fine_tuning`.",
        ["FineTuned"],
    ),
    (
        "Several targets",
        "One network for several columns of y. :doc:`user_guide/several_targets`.",
        ["MultiTask"],
    ),
    (
        "Few labels",
        "Rows without a label beside labelled ones. :doc:`user_guide/few_labels`.",
        ["LabelledOnly", "SemiSupervised"],
    ),
    (
        "Many owners",
        "One network from rows that stay where they are. :doc:`user_guide/federated`.",
        [
            "FederatedClassifier",
            "FederatedRegressor",
            "FederatedResult",
            "client_app",
            "server_app",
        ],
    ),
    (
        "Networks from elsewhere",
        "Weights that another library trained, as fitted networks; and the way back."
        " :doc:`user_guide/conversion`.",
        ["from_keras", "from_onnx", "from_sklearn", "to_sklearn"],
    ),
    (
        "Search and validation",
        "Learning rates, early stopping without leaks, and what the stacked backend did."
        " :doc:`user_guide/stacking`, :doc:`user_guide/validation`.",
        [
            "LearningRateFinder",
            "StackingReport",
            "ValidationHoldout",
            "stacking_report",
        ],
    ),
    (
        "Training data",
        "What is wrong with the rows, the columns and the labels, and what to do."
        " :doc:`user_guide/data_checks`.",
        ["DataFinding", "DataReport", "check_data"],
    ),
    (
        "More data than memory",
        "Rows from files, lazy frames and callables, read in chunks."
        " :doc:`user_guide/more_data`.",
        ["ChunkedFit", "MoreDataCurve", "MoreDataCurveDisplay", "more_data_curve"],
    ),
    (
        "Checkpoints",
        "Fits and searches that continue after an interruption."
        " :doc:`user_guide/files`.",
        [
            "Checkpoint",
            "CheckpointReport",
            "checkpoint_report",
            "clear_checkpoints",
        ],
    ),
    (
        "Compression",
        "Smaller and faster networks. :doc:`user_guide/compression`.",
        ["Pruned", "Quantized", "Sliced"],
    ),
    (
        "Deployment",
        "A page that predicts in the browser, and a pipeline cut to what a client can carry."
        " :doc:`user_guide/in_browser`, :doc:`user_guide/cut_to_fit`.",
        [
            "OnnxSplit",
            "SplitClassifier",
            "SplitRegressor",
            "SplitReport",
            "Variants",
            "split",
            "split_report",
            "to_web",
            "variants",
        ],
    ),
    (
        "Augmentation",
        "Batches that change from epoch to epoch. :doc:`user_guide/augmentation`.",
        ["Augmentation"],
    ),
    (" Of tables", "", ["FeatureMask", "GaussianNoise", "SwapNoise"]),
    (
        " Of images",
        "",
        [
            "Brightness",
            "Contrast",
            "Crop",
            "Erasing",
            "Flip",
            "Rotation",
            "Scaling",
            "Translation",
        ],
    ),
    (
        " Of series",
        "",
        [
            "Jitter",
            "MagnitudeScaling",
            "SegmentPermutation",
            "TimeShift",
            "TimeWarp",
            "WindowSlice",
        ],
    ),
    (" Of pairs of rows", "", ["CutMix", "Mixup"]),
    (" Policies", "", ["AutoAugment", "Policy", "RandAugment", "TrivialAugment"]),
    (
        "Export and files",
        "Model files, one ONNX file, what reads it, and what skops may load."
        " :doc:`user_guide/files`, :doc:`user_guide/export`.",
        [
            "OnnxClassifier",
            "OnnxExport",
            "OnnxMultiTask",
            "OnnxRegressor",
            "OnnxTransformer",
            "SKOPS_TRUSTED_TYPES",
            "describe",
            "load",
            "register_onnx_layer",
            "save",
            "sign",
            "to_onnx",
        ],
    ),
    (
        "Diagnosis",
        "What keeps a network from a better score, and what to change."
        " :doc:`user_guide/diagnosis`.",
        ["Diagnosis", "DiagnosisDisplay", "diagnose"],
    ),
    (
        "Size and capacity",
        "What a network consists of, and how large it should be."
        " :doc:`user_guide/network`.",
        [
            "CapacityCurve",
            "CapacityCurveDisplay",
            "NetworkSummary",
            "capacity_curve",
            "standard_error_of_estimate",
            "standard_error_of_estimate_scorer",
            "summary",
        ],
    ),
    (
        "Reports and pictures",
        "What a fit, a compression and an augmentation look like."
        " :doc:`user_guide/watching`.",
        [
            "CompressionDisplay",
            "CompressionReport",
            "FitCurveDisplay",
            "augmentation_preview",
            "compression_report",
        ],
    ),
    (
        "Exceptions and warnings",
        "All are :class:`SklearnDeepError` or :class:`SklearnDeepWarning`."
        " :doc:`user_guide/errors`.",
        [
            "CheckpointWarning",
            "DeadUnitsWarning",
            "FederatedError",
            "FitWarning",
            "InvalidParameterError",
            "MissingDependencyError",
            "ModelFileError",
            "NegativeTransferError",
            "NegativeTransferWarning",
            "NotConvergedWarning",
            "OnnxExportError",
            "OnnxFileError",
            "OnnxImportError",
            "OnnxParityError",
            "RankLostError",
            "RanksDifferError",
            "ScoreDropError",
            "ScoreDropWarning",
            "ServerError",
            "ShuffleWarning",
            "SklearnDeepError",
            "SklearnDeepWarning",
            "SmallValidationWarning",
            "TrainingDivergedError",
            "TrainingWarning",
            "UnscaledFeaturesWarning",
            "UnsupportedVersionError",
            "WorkerLostWarning",
        ],
    ),
]

# scikit-learn's docstrings of ``score`` and ``set_output`` refer to these labels of its
# own pages.
INHERITED = """
.. _accuracy_score:
.. _r2_score:

Scores
------

``score(X, y)`` of a classifier is the accuracy (:func:`sklearn.metrics.accuracy_score`),
of a regressor R\u00b2 (:func:`sklearn.metrics.r2_score`).

.. _df_output_transform:
.. _sphx_glr_auto_examples_miscellaneous_plot_set_output.py:

Frames out
----------

``set_output(transform="pandas")`` or ``"polars"`` makes ``transform`` of a transformer
give a frame, with the columns of ``get_feature_names_out()``.
""".splitlines()


def api_page():
    """Text of the API page.

    Raises
    ------
    ValueError
        If the groups and ``__all__`` do not have the same names, each once.
    """
    grouped = [name for _, _, names in GROUPS for name in names]
    if sorted(grouped) != sorted(sklearn_deep.__all__):
        public = set(sklearn_deep.__all__)
        raise ValueError(
            "GROUPS in docs/_api.py has to hold each public name once. It lacks"
            f" {sorted(public - set(grouped))}, has {sorted(set(grouped) - public)}"
            f" besides, and {sorted({n for n in grouped if grouped.count(n) > 1})} twice."
        )
    lines = [
        "API reference",
        "=============",
        "",
        ".. currentmodule:: sklearn_deep",
        "",
    ]
    for title, about, names in GROUPS:
        rule = "^" if title.startswith(" ") else "-"
        lines += [title.strip(), rule * len(title.strip()), ""]
        lines += [about, ""] if about else []
        lines += [".. autosummary::", "   :toctree: generated", "   :nosignatures:", ""]
        lines += [f"   {name}" for name in names] + [""]
    return "\n".join([*lines, *INHERITED])
