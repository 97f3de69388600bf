"""`python -m parley` is `parley`."""

from parley.cli.app import main

main()
