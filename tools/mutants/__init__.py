"""Mutation tests of the job guarantee: a condition or a write that can be taken out needs a test that fails without it.

`lua` and `python` make the mutants of transitions, submit, attempt and maintenance. `recorder` finds the tests of each,
`runner` runs them. `equivalent.toml` lists the mutants that behave as the original, with the reason. What earlier runs
have found is kept in build/mutants.json. `make mutants` tests the rest, `make mutants ARGS=renew.lua` one file.
"""
