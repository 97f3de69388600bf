-- Records that a reader had to skip. ARGV: number
count('unreadable_records', ARGV[1])
