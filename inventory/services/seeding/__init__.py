"""A large catalogue made up for work on scale."""

from inventory.services.seeding.catalogue import SeedProgress, seed_catalogue

__all__ = ["SeedProgress", "seed_catalogue"]
