"""What the DynamoDB tables hold, as typed values: a module for each subject.

A record is stored attribute by attribute under its field names, `None` as an absent attribute.
Amounts and token ids are strings there: DynamoDB's numbers end at 38 digits.

Records that build on these have modules of their own: `mintline.lines`, `mintline.drop_records`,
`mintline.packs`, `mintline.authorizations`, `mintline.metadata_versions`, `mintline.webhooks.records`.
"""
