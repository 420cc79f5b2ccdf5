"""What Mintline's services share: message contracts, the state machine, and thin adapters."""
