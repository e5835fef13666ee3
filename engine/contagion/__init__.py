"""Where the contagion buffer's numbers come from: liquidation ladder, depth, impact, state of the system.

The publishers run this outside the hot path and state the result as `engine.market.crowding.Crowding` and a multiplier.
"""
