"""Model versions: registered, listed, judged."""
