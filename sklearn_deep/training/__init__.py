"""A job to a result: ``TrainJob -> TrainResult``. Knows no estimator."""
