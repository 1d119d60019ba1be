"""A whole shop on one machine: PostgreSQL and Valkey from wheels, and who looks after them.

Nothing here needs Django's settings: it runs before them, as it decides which servers they name.
"""
