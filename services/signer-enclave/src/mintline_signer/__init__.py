"""Signs mints: the host that moves bytes, and the enclave that holds keys."""
