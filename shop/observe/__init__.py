"""How the shop is watched: metrics, timing, logs, probes."""
