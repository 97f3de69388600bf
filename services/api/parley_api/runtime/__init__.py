"""What an API process keeps between requests: connections, limits, keys, notifications."""
