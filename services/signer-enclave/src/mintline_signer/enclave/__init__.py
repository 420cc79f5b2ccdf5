"""The enclave: checks the policy, unwraps keys, signs. No disk, no network but the host's sockets."""
