"""Breaks the pipeline in every way that it must survive, and tells whether it did."""
