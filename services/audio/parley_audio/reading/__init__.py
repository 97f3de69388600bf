"""Reads recordings inside the confined process: PyAV is imported in this folder only."""
