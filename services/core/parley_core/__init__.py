"""What the API, the keeper and the workers of Parley agree on."""

__version__ = "0.1.0"
