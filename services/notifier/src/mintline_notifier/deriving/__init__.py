"""What a change of a record says happened: pure functions from records to events, a module a table."""
