"""What every transaction shares."""
