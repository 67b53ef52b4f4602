"""cast, encode and decode: they find the backend by the kind of array and call it."""

from typing import Any


def cast(x: Any, q: object, **options: Any) -> Any:
    """Not yet."""
    raise RuntimeError


encode = decode = cast
