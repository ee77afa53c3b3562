"""Exceptions and warnings of sklearn_deep.

.. code-block:: text

    SklearnDeepError
    ├── InvalidParameterError(ValueError, TypeError)  an invalid constructor argument
    ├── TrainingDivergedError(ArithmeticError)        the loss or a weight became NaN or infinite
    ├── RankLostError(ConnectionError)                a process that trains the same fit is gone
    ├── RanksDifferError(ValueError)                  processes that train one fit got different input
    ├── FederatedError(ValueError)                    owners who cannot train one network
    ├── ScoreDropError(ValueError)                    a compressed network scores too low
    ├── NegativeTransferError(ValueError)             fine-tuning scores below its source
    ├── OnnxExportError(ValueError)                   a model without an ONNX form
    │   ├── OnnxParityError                           an ONNX form with other predictions
    │   └── UnsupportedVersionError(ImportError)      an ONNX library of an unknown version
    ├── OnnxFileError(ValueError)                     an ONNX file that cannot be read
    ├── OnnxImportError(ValueError)                   an ONNX model that is no network of ours
    ├── ServerError(ConnectionError)                  a server without a complete answer
    ├── ModelFileError(ValueError)                    a model file that cannot be read or written
    └── MissingDependencyError(ImportError)           an optional library is not installed

    SklearnDeepWarning(UserWarning)
    ├── CheckpointWarning                             a state of a fit that cannot be used or stored
    ├── FitWarning                                    a fit that is probably worse than it could be
    │   ├── DeadUnitsWarning                          nearly all units of a layer are 0
    │   ├── NotConvergedWarning(ConvergenceWarning)   the loss was still falling at the end
    │   ├── SmallValidationWarning                    too few rows decide when to stop
    │   └── UnscaledFeaturesWarning                   columns that are far from mean 0 and scale 1
    ├── NegativeTransferWarning                       fine-tuning scores below its source
    ├── ScoreDropWarning                              a compressed network scores lower
    ├── ShuffleWarning                                batches that do not represent all rows
    ├── TrainingWarning                               a fit with a probably useless result
    └── WorkerLostWarning                             tasks that run again: their worker is gone

``NotConvergedWarning`` is in ``_not_converged.py``: it is scikit-learn's
``ConvergenceWarning`` too, and this module has to load without scikit-learn.
"""

__all__ = [
    "CheckpointWarning",
    "DeadUnitsWarning",
    "FederatedError",
    "FitWarning",
    "InvalidParameterError",
    "MissingDependencyError",
    "NegativeTransferError",
    "NegativeTransferWarning",
    "ModelFileError",
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
]


class SklearnDeepError(Exception):
    """Base class of every exception that sklearn_deep defines."""


class InvalidParameterError(SklearnDeepError, ValueError, TypeError):
    """A constructor argument has a type or a value that is not allowed.

    It is both a ``ValueError`` and a ``TypeError``, so that code written for
    scikit-learn's own parameter errors catches it.
    """


class FederatedError(SklearnDeepError, ValueError):
    """Owners of rows cannot train one network together, as things are."""


class TrainingDivergedError(SklearnDeepError, ArithmeticError):
    """The loss or a weight became NaN or infinite during training.

    Parameters
    ----------
    owner : str
        Name of the estimator that was trained.
    epoch : int
        Epoch, counted from 1, in which training diverged.
    learning_rate : float
        Learning rate at that epoch.

    Attributes
    ----------
    epoch : int
        Epoch, counted from 1, in which training diverged.
    learning_rate : float
        Learning rate at that epoch.
    """

    def __init__(self, owner, epoch, learning_rate):
        # Pass all arguments to the base class: exceptions are pickled by their args,
        # for example between the processes of joblib.
        super().__init__(owner, epoch, learning_rate)
        self.owner, self.epoch, self.learning_rate = owner, epoch, learning_rate

    def __str__(self):
        return (
            f"The training of {self.owner} diverged in epoch {self.epoch} at learning"
            f" rate {self.learning_rate:.3g}: the loss or a weight is no longer finite."
            " Lower learning_rate (learning_rate='auto' picks one), set"
            " gradient_clip=1.0, or scale the features, e.g. with a StandardScaler in"
            " a Pipeline."
        )


class NegativeTransferError(SklearnDeepError, ValueError):
    """A fine-tuned network scores below a new head on the frozen pretrained network.

    The message gives both scores. ``on_worse="warn"`` gives a
    :class:`NegativeTransferWarning` instead, and ``on_worse="fall_back"`` the network with
    the new head.
    """


class RankLostError(SklearnDeepError, ConnectionError):
    """A process that trains the same fit was killed, failed, or does not answer.

    The fit needs all of them, and so does every later one: start the script again. With
    ``checkpoint=`` the fit then continues where its state was stored last.
    """


class RanksDifferError(SklearnDeepError, ValueError):
    """Processes that train one fit have other rows, or other parameters, than the first.

    The message says what differs. All processes raise it.
    """


class ScoreDropError(SklearnDeepError, ValueError):
    """A compressed network scores lower than the user allows.

    Parameters
    ----------
    owner : str
        Name of the compression.
    before : float
        Score of the network before.
    after : float
        Score of the compressed network.
    allowed : float
        Largest allowed drop of the score.

    Attributes
    ----------
    before : float
        Score of the network before.
    after : float
        Score of the compressed network.
    allowed : float
        Largest allowed drop of the score.
    """

    def __init__(self, owner, before, after, allowed):
        super().__init__(owner, before, after, allowed)
        self.owner, self.before = owner, before
        self.after, self.allowed = after, allowed

    def __str__(self):
        return (
            f"{self.owner}: the score falls from {self.before:.4g} to {self.after:.4g},"
            f" by more than max_score_drop={self.allowed:g}. Compress less, fine-tune for"
            " more epochs, or set on_score_drop='fall_back' to keep the last level whose"
            " score is high enough."
        )


class OnnxExportError(SklearnDeepError, ValueError):
    """A fitted estimator, or a part of it, cannot be exported to ONNX."""


class OnnxParityError(OnnxExportError):
    """The ONNX model predicts other values than the estimator.

    Parameters
    ----------
    message : str
        What differs, in which step, and what can be done.
    step : str
        First step of the pipeline whose output differs.
    difference : float
        Largest difference, relative to the scale of the output.

    Attributes
    ----------
    step : str
        First step of the pipeline whose output differs.
    difference : float
        Largest difference, relative to the scale of the output.
    """

    def __init__(self, message, step, difference):
        super().__init__(message, step, difference)
        self.message, self.step, self.difference = message, step, difference

    def __str__(self):
        return self.message


class UnsupportedVersionError(OnnxExportError, ImportError):
    """The installed version of an ONNX library lacks a name that the export needs.

    The message gives the versions that the export was tested with. It is an
    ``ImportError`` too, as ``from sklearn_deep import to_onnx`` may raise it.
    """


class OnnxFileError(SklearnDeepError, ValueError):
    """A file is not an ONNX model of this package, or was changed after the export."""


class ModelFileError(SklearnDeepError, ValueError):
    """A file is not one of :func:`save`, is damaged, or holds what may not be loaded.

    The message says what came and what to do. Nothing of the file was run.
    """


class OnnxImportError(SklearnDeepError, ValueError):
    """An ONNX model cannot become an estimator; the message says what is in the way."""


class MissingDependencyError(SklearnDeepError, ImportError):
    """An optional library is needed but not installed.

    Parameters
    ----------
    feature : str
        Feature that was requested.
    library : str
        Library that the feature needs.
    extra : str
        Extra of sklearn-deep that installs the library.
    """

    def __init__(self, feature, library, extra):
        super().__init__(feature, library, extra)
        self.feature, self.library, self.extra = feature, library, extra

    def __str__(self):
        return (
            f"{self.feature} needs {self.library}, which is not installed. Install the"
            f" extra in a clone of sklearn-deep: pip install '.[{self.extra}]'; or only"
            f" the library: pip install {self.library}"
        )


class ServerError(SklearnDeepError, ConnectionError):
    """A server gave no complete answer, or another one than it was asked for.

    Parameters
    ----------
    message : str
        What was asked, what came, and what to do.
    status : int or None, default=None
        HTTP status of the answer, if there was one.

    Attributes
    ----------
    status : int or None
        HTTP status of the answer, if there was one.
    """

    def __init__(self, message, status=None):
        # Not those of OSError, which takes two arguments for an error number and text.
        super().__init__(message)
        self.message, self.status = message, status

    def __reduce__(self):
        return type(self), (self.message, self.status)


class SklearnDeepWarning(UserWarning):
    """Base class of every warning that sklearn_deep defines."""


class CheckpointWarning(SklearnDeepWarning):
    """A stored state of a fit cannot be used, or the state cannot be stored.

    The message names the file and the reason. The fit itself is not affected: it
    continues from an earlier state or from the beginning, and gives the same network.
    """


class FitWarning(SklearnDeepWarning):
    """A network was trained, and will probably be better with another setting.

    Base class of what ``fit`` says about the training: a message gives the reason and a
    fix. A search on the stacked backend gives each kind once, not once per candidate.
    Turn one kind off, or all of them::

        warnings.simplefilter("ignore", UnscaledFeaturesWarning)
        warnings.simplefilter("ignore", FitWarning)
    """


class DeadUnitsWarning(FitWarning):
    """Nearly all units of a ReLU layer are 0 on all training rows.

    Such units have no gradient and never recover; the network is narrower than it looks.
    A high learning rate or unscaled features are the usual reasons.
    """


class SmallValidationWarning(FitWarning):
    """Too few validation rows decide when training stops and which weights are kept.

    Only where the user asked for early stopping: ``early_stopping="auto"`` decides by
    itself.
    """


class UnscaledFeaturesWarning(FitWarning):
    """Columns of X are far from mean 0 and standard deviation 1.

    Networks learn slowly and badly from such columns: put a ``StandardScaler`` in front.
    Pixels of 8 bits, tokens and the columns of ``TabularClassifier`` and
    ``TabularRegressor`` are scaled by the estimator itself.
    """


class NegativeTransferWarning(SklearnDeepWarning):
    """A fine-tuned network scores below a new head on the frozen pretrained network.

    The message gives both scores and what to do. With ``on_worse="raise"`` it is a
    :class:`NegativeTransferError` instead.
    """


class ScoreDropWarning(SklearnDeepWarning):
    """A compressed network scores lower than the network that it was made from.

    The message gives both scores and what to do. With ``max_score_drop`` set, the
    compression raises :class:`ScoreDropError` instead, or with
    ``on_score_drop="fall_back"`` keeps the last network whose score is high enough.
    """


class ShuffleWarning(SklearnDeepWarning):
    """The batches of :class:`ChunkedFit` do not represent all rows of the source.

    Rows that lie sorted in a file are mixed too little, and the network learns their
    order. The message gives the measured quality and what to do.
    """


class TrainingWarning(SklearnDeepWarning):
    """A network was trained, but its predictions are probably useless.

    The message gives the reason and a fix. Like scikit-learn's ``ConvergenceWarning``
    it can be turned into an error::

        warnings.simplefilter("error", TrainingWarning)
    """


class WorkerLostWarning(SklearnDeepWarning):
    """A worker of a cluster ended while it ran tasks; they were run again elsewhere.

    The message names the backend and the number of tasks. Results are not affected. A
    worker may lack memory: a smaller ``n_jobs`` runs fewer fits at once.
    """
