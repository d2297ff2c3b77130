"""Models outside of Python: as one web page that draws faces without a network, and as ONNX."""
