"""Our own arithmetic for the default engine, in C: onnxruntime takes longer for the same products."""
