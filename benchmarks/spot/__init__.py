"""What the planner's way with spot machines costs, and whether it keeps deadlines."""
