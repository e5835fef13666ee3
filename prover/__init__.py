"""Proves in zero knowledge that a hidden account meets a policy."""
