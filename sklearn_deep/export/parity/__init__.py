"""Comparison of the ONNX model with the estimator, on passed and generated rows."""
