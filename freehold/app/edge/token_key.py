"""A place's own key for tokens: derived from the site's, which goes nowhere.

HMAC-SHA256 over the place and the model, by the site's key. So every bundle for a place makes the
same tokens, this site can make them too, and whoever has the bundle learns nothing of the site's
key; but the bundle holds the place's own, by which a token's value is found by trying all that it
may be.
"""

from hmac import digest

from freehold.app.site.opening import Site
from freehold.app.traffic.token_key import token_key
from freehold.serving.tokens import TokenKey


def place_key(site: Site, place: str, model: str) -> TokenKey:
    """Raises what `token_key` raises."""
    about = f"freehold bundle\0{place}\0{model}".encode()
    return TokenKey(digest(token_key(site).secret, about, "sha256"))
