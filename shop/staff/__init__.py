"""The site that staff work at: where it is, and who is let in."""
