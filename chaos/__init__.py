"""The fault harness: systems of real processes, a seeded schedule of faults, and a check of every promise.

A client writes every accepted id to a ledger. The harness injects a fault under load and waits until all jobs have
ended. The checker compares the ledger with the record. `python -m chaos --list` lists the faults, and `make faults`
runs them all.
"""
