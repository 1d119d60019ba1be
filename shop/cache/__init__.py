"""Copies of what the database says, which may vanish at any time."""
