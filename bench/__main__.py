"""`make bench`: every measurement, one after the other."""

from bench import memory, mirror

mirror.main()
memory.main([60_000, 600_000])
