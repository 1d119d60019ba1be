"""The catalogue with its stock, written as files."""
