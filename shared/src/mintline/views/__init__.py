"""The public forms of records: what `GET` answers, and what events have as their data."""
