"""Our rules as skl2onnx converters, and its converters as our rules: alone imports it."""
