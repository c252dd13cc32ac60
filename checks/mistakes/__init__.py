"""Mistakes that people make, as short wrong implementations that name them, one module per lab."""
