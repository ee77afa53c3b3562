"""Networks whose settings do not follow the defaults, for tests that do not either."""

from functools import partial

from sklearn_deep import MLPClassifier, MLPRegressor

# The defaults are tuned for real data; what is tested with these does not hang on them.
PLAIN = {
    "activation": "relu",
    "dropout": 0.0,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "learning_rate_schedule": "constant",
    "weight_decay": 0.0,
    "batch_size": 200,
    "max_epochs": 200,
    "n_iter_no_change": 10,
}
plain_classifier = partial(MLPClassifier, **PLAIN)
plain_regressor = partial(MLPRegressor, **PLAIN)
