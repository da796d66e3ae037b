"""What things cost: prices, usage, bills, budgets."""
