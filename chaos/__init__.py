"""The fault harness: whole systems of real processes, a seeded schedule of faults, and a ledger held to the record.

A client writes every accepted id down before it counts it; faults strike; everything heals by itself; then the ledger
is compared with the record. `python -m chaos --list` names the faults, `make faults` runs them all.
"""
