"""Measurements: how long things take, how much memory they need, and how many errors the engines make.

- `make bench` (`__main__.py`, `system/`): the figures of the whole system.
- `make bench-engine` (`engines/`): engines compared with each other.
- `tuning/`: how the parameters of the default engine were chosen and validated.
- `data/` provides the recordings, `scoring/` the error measures, `plots.py` the pictures.
"""
