# Flower reads a password from its command line, its environment or this file.
with open("/etc/parley/flower/basic-auth") as file:  # noqa: PTH123
    basic_auth = file.read().strip().split(",")
