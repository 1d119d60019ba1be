"""What made-up products are called and made of."""

ADJECTIVES = (
    "Amber", "Ancient", "Autumn", "Bold", "Bright", "Broad", "Calm", "Classic", "Coastal", "Cosy",
    "Crisp", "Deep", "Double", "Early", "Easy", "Everyday", "Fine", "First", "Folding", "Fresh",
    "Gentle", "Golden", "Grand", "Heavy", "Hidden", "Honest", "Little", "Long", "Lucky", "Mellow",
    "Midnight", "Misty", "Modern", "Narrow", "Northern", "Old", "Patient", "Plain", "Quiet",
    "Rapid", "Round", "Rustic", "Silent", "Silver", "Simple", "Slim", "Small", "Soft", "Solid",
    "Southern", "Spare", "Spring", "Steady", "Sturdy", "Summer", "Sunny", "Swift", "Tall", "Tidy",
    "Travel", "True", "Warm", "Wide", "Winter",
)  # fmt: skip
MATERIALS = (
    "Alder", "Ash", "Bamboo", "Beech", "Brass", "Canvas", "Cashmere", "Cedar", "Ceramic", "Clay",
    "Copper", "Cork", "Cotton", "Denim", "Enamel", "Felt", "Flax", "Glass", "Granite", "Hemp",
    "Iron", "Jute", "Leather", "Linen", "Marble", "Merino", "Nickel", "Oak", "Paper", "Pine",
    "Porcelain", "Rattan", "Rubber", "Silk", "Slate", "Steel", "Stone", "Tweed", "Velvet",
    "Walnut", "Wicker", "Willow", "Wool", "Zinc",
)  # fmt: skip
COLOURS = ("Black", "Blue", "Cream", "Green", "Grey", "Red", "Rust", "Sand", "Teal", "White")
SIZES = ("S", "M", "L")
VENDORS = tuple(
    f"{first} {last}"
    for last in ("& Sons", "Brothers", "Mill", "Workshop", "Trading", "House", "Supply", "Works")
    for first in (
        "Abbott", "Birch", "Carver", "Dunmore", "Ellery", "Fenwick", "Garland", "Hollis", "Irving",
        "Jessop", "Kendal", "Lambert", "Marlow", "Norton", "Orchard", "Penrose", "Quill", "Ridley",
        "Sutton", "Thorne", "Upton", "Vickers", "Whitby", "Yarrow", "Zeller",
    )
)  # fmt: skip
TAGS = (
    "bestseller", "eco", "gift", "handmade", "limited", "new", "organic", "outdoor", "premium",
    "recycled", "sale", "small-batch", "summer", "travel", "vegan", "winter",
)  # fmt: skip
# Nouns by the shelf that they stand on.
SHELVES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("Seed", "Home", "Kitchen"): ("Mug", "Bowl", "Teapot", "Board", "Jar", "Jug", "Pan", "Tray"),
    ("Seed", "Home", "Living"): ("Lamp", "Cushion", "Throw", "Vase", "Clock", "Basket", "Stool"),
    ("Seed", "Home", "Bath"): ("Towel", "Mat", "Robe", "Soap Dish", "Mirror"),
    ("Seed", "Clothing", "Tops"): ("Shirt", "Jumper", "Cardigan", "Tee", "Blouse", "Hoodie"),
    ("Seed", "Clothing", "Outerwear"): ("Coat", "Jacket", "Gilet", "Poncho"),
    ("Seed", "Clothing", "Accessories"): ("Scarf", "Belt", "Hat", "Gloves", "Bag", "Wallet"),
    ("Seed", "Garden", "Tools"): ("Trowel", "Rake", "Spade", "Secateurs", "Watering Can"),
    ("Seed", "Garden", "Planting"): ("Planter", "Pot", "Trellis", "Propagator"),
    ("Seed", "Office"): ("Notebook", "Pen", "Desk Tidy", "Folder", "Calendar", "Lamp Stand"),
    ("Seed", "Play"): ("Puzzle", "Kite", "Blocks", "Puppet", "Spinning Top", "Train"),
}
