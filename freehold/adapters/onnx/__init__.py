"""ONNX Runtime and the conversion to ONNX."""
