"""Mintline's HTTP API: mint intake and every query."""
