"""What the tables of carts hold of people: nothing. Carts are in Redis, under ids alone."""

from shop.privacy.registry import Table

TABLES = (
    Table("cart.ShippingZone", plain="name countries"),
    Table("cart.ShippingMethod", plain="code name"),
    Table("cart.ShippingRate", plain="currency"),
    Table("cart.TaxRate", plain="country source"),
)
