"""What Freehold asks of the outside world. One file per port; its docstring states its laws."""
