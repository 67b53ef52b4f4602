"""cost."""


def cost() -> None:
    """Not yet."""
