"""Makes the shipped price tables from apache-libcloud's price file: `make prices`."""
