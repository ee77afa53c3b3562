"""Our rules as skl2onnx converters, and its converters as rules; only here it is imported."""
