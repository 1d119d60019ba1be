"""Headers whose values are the shop's own: written without being looked through each time.

Django converts and checks each name and value as it is set, because a value may come from a
client. What is made here (a digest, a number, a policy) holds no letter beyond ASCII and no end of
a line, and to look for them in a dozen headers costs a cached read more than its body does.
"""

from collections.abc import Iterable
from functools import lru_cache

from django.http.response import HttpResponseBase, ResponseHeaders

# As `ResponseHeaders` keeps them: by the name in small letters, the name as written and the value.
Block = dict[str, tuple[str, str]]


def block_of(headers: Iterable[tuple[str, str]]) -> Block:
    """Return these headers, looked through once, to be written many times."""
    return dict(ResponseHeaders(dict(headers))._store)


def write_block(response: HttpResponseBase, block: Block) -> None:
    """Set these headers, whatever they were."""
    response.headers._store.update(block)


def write_own(response: HttpResponseBase, name: str, value: str) -> None:
    """Set a header whose value was made here, or was found to be printable ASCII and no more."""
    response.headers._store[_small(name)] = (name, value)


@lru_cache(maxsize=64)
def _small(name: str) -> str:
    return name.lower()
