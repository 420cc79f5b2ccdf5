"""Who is asking, and what the api vouches for."""
