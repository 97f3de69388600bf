"""One module per resource: each route parses, calls, answers."""
