"""What operators do to a deployment: each function returns its result, and prints nothing."""
