"""Does anything grow with what is stored? What the services' own stores do over few and many records."""
