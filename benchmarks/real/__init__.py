"""`make bench-real`: engines on labelled recordings of real conversations."""
