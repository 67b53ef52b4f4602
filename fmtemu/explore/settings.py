"""What a sweep was asked for, kept in its output folder so that only the same one continues there."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from fmtemu.explore.study import ExploreError, Source

FILE = "settings.json"


@dataclass(frozen=True)
class Settings:
    """The choices that the results depend on; how many processes work at them is none."""

    study: str
    study_file_sha256: str
    weights: tuple[str, ...]
    activations: tuple[str, ...]
    calibration: str

    @classmethod
    def of(cls, source: Source, weights: tuple[str, ...], activations: tuple[str, ...], calibration: str) -> Settings:
        """The settings of a sweep over a loaded study."""
        return cls(source.name, source.digest, weights, activations, calibration)

    @property
    def name(self) -> str:
        """A name for the Optuna study that differs where the settings do."""
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"{self.study}-{digest[:8]}"

    def choices(self) -> dict[str, tuple[str, ...]]:
        """The formats of each side, by the name of the Optuna parameter."""
        return {"weights": self.weights, "activations": self.activations}


def keep(settings: Settings, out: Path) -> None:
    """Write the settings to ``out``, or raise ExploreError if it holds a sweep with others."""
    path = out / FILE
    asked = json.loads(json.dumps(asdict(settings)))  # tuples become lists, as in the file
    if not path.exists():
        write_whole(path, json.dumps(asked, indent=2) + "\n")
        return
    there = json.loads(path.read_text())
    changed = [name for name in asked if asked[name] != there.get(name)]
    if changed:
        raise ExploreError(
            f"{out} holds a sweep with other settings ({', '.join(changed)} differ): "
            "choose another --out, or delete that folder to start over"
        )


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that nobody, not even after a kill, sees half of it."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    partial.replace(path)
