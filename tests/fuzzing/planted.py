"""A reader that is wrong on purpose, so that it can be seen that what is wrong is found."""

from freehold.serving.document import read_json

from .law import Reading, Target


def planted(data: bytes) -> Reading:
    """Fails at one value of one key, three comparisons deep: chance alone would not come by."""
    value = read_json(data)
    if isinstance(value, dict) and "key" in value and value["key"] == [7]:
        raise KeyError("planted")
    return Reading(value if isinstance(value, int) else None)


PLANTED = {
    "planted": Target("a reader that is wrong on purpose", planted, (b'{"key": [1]}',), (b"7",))
}
