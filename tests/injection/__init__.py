"""2,000 hostile strings at every parameter, and what of them the database was made to run."""
