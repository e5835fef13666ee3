"""What a trader and a risk officer ask of an account: an order's effect, the largest order, the cheapest hedge, and
where the margin comes from. Each answer rests on the integer policies of `engine.margin.house`."""
