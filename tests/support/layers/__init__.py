"""Modules that take layers of the confinement out: imported by a fork server, they change what its forks do."""
