"""How a site is: what `freehold doctor` and `freehold sites` tell."""
