"""Files of products, read: one module for each format, and what they read them into."""
