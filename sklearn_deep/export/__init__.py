"""From a fitted estimator to an ONNX file, and back to predictions."""
