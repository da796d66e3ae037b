"""An endpoint that runs from a bundle: started, told apart from damage, updated, reported."""
