"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path`` at the end of the block; if the block raises, it is
    removed and ``path`` stays as it was. Until then it is called .NAME.PID.part in the same folder, where
    a killed process leaves it."""
    target = path.resolve()  # through links, which stay links
    if target.exists() and not target.is_file():
        raise ValueError(f"{path} is no regular file")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
