"""Makes the 8-bit models from the released ones: `make weights`. Needs onnx, which workers do not need."""
