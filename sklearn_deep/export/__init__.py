"""From a fitted estimator to an ONNX model, compared with it before it is written."""
