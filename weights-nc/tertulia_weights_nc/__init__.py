"""Weights that may not be used commercially; `tertulia` looks into the folder of this package."""
