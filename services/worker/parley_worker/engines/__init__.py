"""Engines: what turns a waveform into turns."""
