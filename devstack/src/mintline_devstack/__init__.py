"""The local stack: every service and the emulators of AWS and of the chain, on one machine."""
