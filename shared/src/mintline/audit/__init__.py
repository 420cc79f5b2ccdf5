"""The enclaves' audit trail: what was signed and refused, chained and signed by a key that is attested.

`records` says what a record is, `trail` verifies what hosts have stored.
"""
