"""What is listed, and at what prices."""
