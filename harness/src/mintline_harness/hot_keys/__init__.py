"""Which partition keys of DynamoDB a load writes most: `make bench HOT_KEYS=1`."""
