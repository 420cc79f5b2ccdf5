"""Users of the pool, as a company's backend names them: by `sub` or by e-mail address."""
