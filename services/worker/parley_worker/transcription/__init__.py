"""The words of a recording, from a recogniser that the operator runs."""
