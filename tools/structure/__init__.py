"""`make structure`: measures that say how much a newcomer has to read."""
