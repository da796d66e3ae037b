"""How sites meet in object stores: what is published, what is believed, what may travel."""
