"""The typed messages (EIP-712) that are signed."""
