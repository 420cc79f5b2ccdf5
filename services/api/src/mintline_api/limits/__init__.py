"""What one user may do in a while: writes a minute, gas a day."""
