"""How often a client may call each route: one sliding window, counted once for every request."""
