"""Models whose numbers are held as a policy says."""
