"""Files in and out: plant.yaml, limit sets, readings, costs (edge)."""
