"""Work that one site asks of another: asked, claimed, performed, listed, cancelled."""
