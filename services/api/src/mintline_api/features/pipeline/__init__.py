"""What operators see of the pipeline as a whole."""
