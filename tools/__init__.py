"""What makes files of the repository from elsewhere; run by `make`, never by the product."""
