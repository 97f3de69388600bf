"""`make bench`: the figures of the whole system."""
