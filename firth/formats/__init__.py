"""File formats of others: one file each, plain words and arrays."""
