"""Searching a model's settings on validation, the same effort for every model."""
