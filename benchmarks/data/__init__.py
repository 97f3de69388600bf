"""Labelled recordings: those at hand, and mixes made from single-speaker utterances."""
