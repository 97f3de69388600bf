"""Links to recordings: which are allowed, and how a confined process fetches one."""
