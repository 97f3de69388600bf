"""Traces: one per job, derived from what its transitions noted, sent by OTLP."""
