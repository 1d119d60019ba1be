"""News that must not be lost: written with the fact, relayed after the commit, handled once."""
