"""The commands of `parley`, one module per group."""
