"""A provider for trying and testing. It takes no money and keeps its own books."""
