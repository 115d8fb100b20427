"""`make bench`: every measurement, one after the other."""

from bench.mirror import main

main()
