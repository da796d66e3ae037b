"""Mixed-integer programs on HiGHS."""
