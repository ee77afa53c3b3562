"""The torch-free half of the export: read an ONNX file, and predict from it."""
