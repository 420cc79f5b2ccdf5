"""One process, one thread, no clock: the services' own handlers over a world that fails by a seed."""
