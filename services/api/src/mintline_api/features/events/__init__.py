"""Events: the log of what happened to what is the caller's."""
