"""The demo catalogue: goods, pictures and stock for a shop that has none of its own yet."""

from inventory.services.demo.load import DemoResult, is_demo_loaded, load_demo, reset_demo

__all__ = ["DemoResult", "is_demo_loaded", "load_demo", "reset_demo"]
