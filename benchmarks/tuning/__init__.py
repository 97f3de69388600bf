"""How the parameters of the default engine were chosen and validated."""
