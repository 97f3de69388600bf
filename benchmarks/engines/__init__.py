"""`make bench-engine`: engines compared with each other."""
