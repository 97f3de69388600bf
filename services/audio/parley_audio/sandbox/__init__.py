"""Runs one function on one hostile file in a confined process."""
