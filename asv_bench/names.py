"""What the contenders are called, in tables and records."""

OWN = "fastconv"
PREPARED = "fastconv, prepared"
TORCH = ("PyTorch", "PyTorch, channels last")
ONNX = "ONNX Runtime"
