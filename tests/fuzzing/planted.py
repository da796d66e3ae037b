"""A reader that is wrong on purpose, so that it can be seen that what is wrong is found."""

from .law import Reading, Target


def planted(data: bytes) -> Reading:
    """Fails at one beginning of four bytes: chance alone would need thousands of millions."""
    if data[:1] == b"\x0f":
        if data[1:2] == b"\xa7":
            if data[2:3] == b"\x9c":
                if data[3:4] == b"\xe1":
                    raise KeyError("planted")
                return Reading(3)
            return Reading(2)
        return Reading(1)
    return Reading(0)


PLANTED = {"planted": Target("a reader that is wrong on purpose", planted, (b"seed",))}
