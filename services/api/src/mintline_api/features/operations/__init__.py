"""What users ask for, of whatever kind: accepted once by an idempotency key, and sent to the pipeline."""
