"""A client of Mintline's API: sign in, mint, follow a mint."""
