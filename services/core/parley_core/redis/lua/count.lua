-- Raise a counter that no transition raises. ARGV: name number
count(ARGV[1], ARGV[2])
