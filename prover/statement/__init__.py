"""The public signals of the circuits, and how data is packed into them."""
