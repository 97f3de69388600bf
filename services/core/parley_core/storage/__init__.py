"""Recordings, results and the journal in the object store."""
