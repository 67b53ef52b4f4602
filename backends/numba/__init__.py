"""Casts on the CPU, compiled by Numba."""
