"""The agent of a site: meets the others, does what is asked, keeps what is released, tells."""
