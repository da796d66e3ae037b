"""Ways from site to site that lead through no store, tried before a cut and during it.

Nobody need listen at the other end. A TCP connection that is refused counts as answered by the
machine there (RFC 9293, section 3.10.7.1), as one that is accepted does; silence, or no route, is
no answer. So whoever cuts has to drop what is sent: a firewall that rejects it sounds like that
machine.
"""

import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from freehold.app.drill.offline.proofs import Answers, failed

PORT = 9
"""Discard (RFC 863): nothing is hoped for there but the machine's refusal."""
PATIENCE = 5.0
"""Seconds."""
ELSEWHERE = "192.0.2.1"
"""Nobody's (RFC 5737): the way there is the way to everybody who is not near."""


@dataclass(frozen=True)
class PeerWays:
    """Between the site that is to be cut and each other one, both ways."""

    answered: frozenset[tuple[str, str]]
    """Before the cut: from whom, to whom. Of these a silence proves something."""
    not_probed: tuple[str, ...]
    """All other ways and why nothing is known of them, in words."""

    @classmethod
    def of(cls, cut: str, before: Answers) -> "PeerWays":
        """`before`: by site, what `try_peers` met."""
        answered, not_probed = set(), []
        for site, said in before.items():
            for peer in before:
                if (site == cut) == (peer == cut):
                    continue
                met = said["peers"].get(peer)
                if met == "":
                    answered.add((site, peer))
                elif met is None:
                    why = f"{peer} has no network address of its own that is known here"
                    not_probed.append(f"{site} → {peer}: {why}")
                else:
                    not_probed.append(f"{site} → {peer}: no answer before the cut, either: {met}")
        return cls(frozenset(answered), tuple(not_probed))

    def require_cut(self, cut: str, during: Answers) -> list[str]:
        """That no way which answered before does now. Returns what was met, in words.

        Raises Failed `drill.failed`.
        """
        met = {way: during[way[0]]["peers"][way[1]] for way in sorted(self.answered)}
        still = [f"{site} still reaches {peer}" for (site, peer), why in met.items() if not why]
        if still:
            hint = (
                "nothing of production was touched; look at what joins the sites besides stores,"
                " and whether what cuts them drops packets: who rejects them sounds like the peer"
            )
            raise failed(f"{cut} is not cut off", "; ".join(still), hint)
        return [f"{site} → {peer}: {why}" for (site, peer), why in met.items()]


def own_address(endpoints: Iterable[str]) -> str:
    """The address from which this process would speak to a store; nothing is sent.

    `endpoints`: URLs of stores; of a vendor's own store it is empty, and the way is that to
    anywhere. Empty where none of them leads beyond the machine.
    """
    for url in endpoints:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        if host and (address := _source(host, port or 443)):
            return address
    return _source(ELSEWHERE, PORT)


def addresses_of(said: Answers) -> dict[str, str]:
    """By site. One that several share is nobody's own: whoever calls it may call himself."""
    given = {site: str(one["address"]) for site, one in said.items() if one["address"]}
    shared = Counter(given.values())
    return {site: address for site, address in given.items() if shared[address] == 1}


def try_peers(addresses: Mapping[str, str]) -> dict[str, str]:
    """By site: empty if its machine answered, else what was met."""
    return {site: _try(address) for site, address in addresses.items()}


def _try(address: str) -> str:
    try:
        socket.create_connection((address, PORT), PATIENCE).close()
    except ConnectionRefusedError:
        return ""
    except OSError as error:
        return f"no answer from {address}: {error.strerror or error}"
    return ""


def _source(host: str, port: int) -> str:
    """Empty where it is loopback's, or there is no way to that store at all."""
    try:
        for family, kind, _, _, where in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
            with socket.socket(family, kind) as way:
                way.connect(where)
                address = str(way.getsockname()[0])
            if not ip_address(address.partition("%")[0]).is_loopback:
                return address
    except OSError:
        return ""  # that a store is out of reach is what the probe of stores tells
    return ""
