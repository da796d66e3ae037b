"""The HTTP face of the control plane: the API, the page, and the loop behind them."""
