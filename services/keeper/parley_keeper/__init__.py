"""The keeper: puts right what no request and no worker can. Any number of keepers is safe at once."""
