# Flower reads a password from its command line, its environment or this file.
with open("/etc/parley/flower/basic-auth") as file:  # noqa: PTH123
    basic_auth = file.read().strip().split(",")
persistent, db, state_save_interval = True, "/var/lib/parley/flower/tasks", 60_000  # milliseconds
