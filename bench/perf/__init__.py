"""Measurements behind claims: of speed, ratios measured side by side in one run; of comparisons, rates of error."""
