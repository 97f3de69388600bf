"""Transcripts: read from recognisers, their words given to speakers."""
