"""Parley on one machine: every part as a process, with an embedded Redis."""
