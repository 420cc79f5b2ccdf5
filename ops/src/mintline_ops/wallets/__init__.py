"""What an operator does with keys in custody, none of which shows one."""
