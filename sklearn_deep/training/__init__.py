"""Training: ``TrainJob -> TrainResult``, without any estimator."""
