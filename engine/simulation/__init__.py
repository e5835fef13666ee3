"""An agent-based liquidation cascade, to see what the contagion buffer does and does not do."""
