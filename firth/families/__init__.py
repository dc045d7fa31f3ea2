"""The families: one file each, of one shape."""
