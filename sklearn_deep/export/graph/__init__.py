"""An ONNX graph under construction, the table of rules, and the rows that flow in it."""
