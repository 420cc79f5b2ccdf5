"""Boots the enclave's image under QEMU's nitro-enclave machine, in the place of a local stack's enclave."""
