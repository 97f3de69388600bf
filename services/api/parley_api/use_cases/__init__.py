"""What the API does for a caller, independent of routes."""
