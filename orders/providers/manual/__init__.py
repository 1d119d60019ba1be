"""Money that was received outside the shop: cash, a bank transfer, another system."""
