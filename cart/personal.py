"""What the tables of carts hold of people: nothing. Carts are in Redis, under ids alone."""

from shop.privacy.registry import Table, table_of_changes

TABLES = (
    Table("cart.ShippingZone", plain="name countries"),
    Table("cart.ShippingMethod", plain="code name"),
    Table("cart.ShippingRate", plain="currency"),
    Table("cart.TaxRate", plain="country source"),
    table_of_changes("cart.ShippingZoneChange", "name countries"),
    table_of_changes("cart.ShippingMethodChange", "code name"),
    table_of_changes("cart.ShippingRateChange", "currency"),
    table_of_changes("cart.TaxRateChange", "country source"),
)
