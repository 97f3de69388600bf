"""Controls against threats: each is taken out in a copy of the code, and its test must fail there."""
