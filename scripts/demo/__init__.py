"""The main job on a local chain."""
