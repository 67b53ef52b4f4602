"""The rounding algorithms, each written once on bit patterns; a backend binds its operations."""
