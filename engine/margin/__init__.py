"""The house's requirement: scenarios, models, and the policies that they become."""
