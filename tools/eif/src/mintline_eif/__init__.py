"""Enclave images, the files that Nitro boots (EIF): made from container images, the same each time."""
