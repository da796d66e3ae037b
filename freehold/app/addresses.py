"""What an address says about where it leads."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether what is sent to it stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
