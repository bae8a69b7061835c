"""Values that every layer shares: bars, parameters, registries, kernel signatures, records."""
