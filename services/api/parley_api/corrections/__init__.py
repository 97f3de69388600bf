"""Corrections that people make to results: an ordered list of edits on top of what the engine found."""
