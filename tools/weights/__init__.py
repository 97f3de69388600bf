"""How the smaller models were made from the released ones: `make weights`. Needs onnx, which no worker does."""
