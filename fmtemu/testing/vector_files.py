"""Golden vectors in files: .npz, .csv, and words of hexadecimal digits that Verilog's $readmemh loads."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fmtemu.files.replace import replacing
from fmtemu.quantizer import as_quantizer
from fmtemu.testing.vector_columns import Column

if TYPE_CHECKING:
    from fmtemu.testing.vectors import Vectors

#: The first date that zip files can hold: theirs are always this one.
_DATE = (1980, 1, 1, 0, 0, 0)
_MANIFEST_VERSION = 1


def write(vectors: Vectors, path: Path) -> None:
    """Write the file and its manifest, each whole or not at all."""
    check_kind(path)
    content = _KINDS[path.suffix](vectors, path.name)
    manifest = json.dumps(_manifest(vectors, path, content), indent=2) + "\n"
    for target, data in ((path, content), (manifest_path(path), manifest.encode())):
        with replacing(target) as file:
            file.write(data)


def read_vectors(path: str | Path) -> Vectors:
    """The vectors that Vectors.save wrote, of any kind of file; its manifest must lie beside it.

    Raises ValueError where the file is not the one that the manifest describes."""
    from fmtemu.testing.vectors import Vectors

    path = Path(path)
    check_kind(path)
    manifest, content = json.loads(manifest_path(path).read_text()), path.read_bytes()
    if manifest["sha256"] != hashlib.sha256(content).hexdigest():
        raise ValueError(f"{path} is not the file that {manifest_path(path).name} describes: their sha256 differ")
    fields = ("name", "bits", "count", "role", "meaning")
    columns = tuple(Column(*(column[field] for field in fields)) for column in manifest["columns"])
    rows = {".npz": _npz_rows, ".csv": _csv_rows}.get(path.suffix, _hex_rows)(content, columns)
    data = {column.name: column.array(rows[column.name]) for column in columns}
    return Vectors(as_quantizer(manifest["quantizer"]), manifest["source"], columns, data, manifest["complete"])


def manifest_path(path: Path) -> Path:
    """Where the manifest of a file lies."""
    return path.with_name(path.name + ".json")


def check_kind(path: Path) -> None:
    """Raise ValueError for a file whose name does not end as one that can be written."""
    if path.suffix not in _KINDS:
        raise ValueError(f"{path} must end with {', '.join(_KINDS)}")


def _manifest(vectors: Vectors, path: Path, content: bytes) -> dict[str, Any]:
    from fmtemu import __version__

    quantizer = vectors.quantizer
    ends = _ends(vectors.columns)
    return {
        "manifest": _MANIFEST_VERSION,
        "fmtemu": __version__,
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "quantizer": str(quantizer),
        "format": str(quantizer.format),
        "rounding": str(quantizer.rounding),
        "edges": {name: given for name, given in vars(quantizer.edges).items() if given != "format"},
        "via": None if quantizer.via is None else str(quantizer.via),
        "source": vectors.source,
        "rows": len(vectors),
        "complete": vectors.complete,
        "word_bits": ends[0][0] + 1,
        "columns": [
            asdict(column) | {"high": high, "low": low}
            for column, (high, low) in zip(vectors.columns, ends, strict=True)
        ],
    }


def _digits(column: Column) -> int:
    """Hexadecimal digits of one number: whole ones, so that a number can be read in the word."""
    return -(-column.bits // 4)


def _ends(columns: tuple[Column, ...]) -> list[tuple[int, int]]:
    """The highest and lowest bit of each column in a word, the first column in the highest bits."""
    ends, low = [], 0
    for column in reversed(columns):
        width = 4 * _digits(column) * column.count
        ends.append((low + width - 1, low))
        low += width
    return ends[::-1]


def _rows(vectors: Vectors) -> Iterator[list[list[int]]]:
    """Every row as lists of the numbers of its columns."""
    tables = [vectors.data[column.name].reshape(len(vectors), -1).tolist() for column in vectors.columns]
    return (list(row) for row in zip(*tables, strict=True))


# -- .hex and .mem -----------------------------------------------------------------------------


def _hex(vectors: Vectors, name: str) -> bytes:
    ends = _ends(vectors.columns)
    lines = [
        f"// fmtemu golden vectors: {vectors.quantizer}, from {vectors.source}",
        f'// reg [{ends[0][0]}:0] vectors [0:{len(vectors) - 1}];  initial $readmemh("{name}", vectors);',
    ]
    for column, (high, low) in zip(vectors.columns, ends, strict=True):
        step = 4 * _digits(column)
        each = f", element i at [{low} + {step}*i +: {column.bits}]" if column.count > 1 else f", {column.bits} bits"
        lines.append(f"// [{high}:{low}] {column.name}: {column.meaning}{each}")
    for row in _rows(vectors):
        words = [
            f"{number:0{_digits(column)}x}"
            for column, numbers in zip(vectors.columns, row, strict=True)
            for number in reversed(numbers)
        ]
        lines.append("_".join(words))
    return ("\n".join(lines) + "\n").encode()


def _hex_rows(content: bytes, columns: tuple[Column, ...]) -> dict[str, list[list[int]]]:
    lines = [line for line in content.decode().splitlines() if not line.startswith("//")]
    words = [[int(word, 16) for word in line.split("_")] for line in lines]
    found, start = {}, 0
    for column in columns:
        found[column.name] = [word[start : start + column.count][::-1] for word in words]
        start += column.count
    return found


# -- .csv --------------------------------------------------------------------------------------


def _csv(vectors: Vectors, name: str) -> bytes:
    """The columns in hexadecimal, then what inputs and results stand for in decimal."""
    inputs, values = (array.reshape(len(vectors), -1).tolist() for array in (vectors.inputs, vectors.values))
    size = len(inputs[0])
    heads = [
        *(_heads(column.name, column.count) for column in vectors.columns),
        *(_heads(decimal, size) for decimal in ("input_value", "value")),
    ]
    lines = [",".join(head for part in heads for head in part)]
    for row, numbers, results in zip(_rows(vectors), inputs, values, strict=True):
        words = [
            f"0x{number:0{_digits(column)}x}"
            for column, part in zip(vectors.columns, row, strict=True)
            for number in part
        ]
        lines.append(",".join([*words, *(repr(number) for number in (*numbers, *results))]))
    return ("\n".join(lines) + "\n").encode()


def _heads(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}{index}" for index in range(count)]


def _csv_rows(content: bytes, columns: tuple[Column, ...]) -> dict[str, list[list[int]]]:
    lines = [line.split(",") for line in content.decode().splitlines()[1:]]
    found, start = {}, 0
    for column in columns:
        found[column.name] = [[int(word, 16) for word in line[start : start + column.count]] for line in lines]
        start += column.count
    return found


# -- .npz --------------------------------------------------------------------------------------


def _npz(vectors: Vectors, name: str) -> bytes:
    """As numpy.savez writes, little-endian and with one date: the columns, and ``value`` in float64."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for member, array in (
            {column.name: vectors.data[column.name] for column in vectors.columns} | {"value": vectors.values}
        ).items():
            content = io.BytesIO()
            little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            np.lib.format.write_array(content, little, version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{member}.npy", _DATE)
            info.create_system = 3  # Unix, on whatever machine
            info.external_attr = 0o644 << 16
            archive.writestr(info, content.getvalue())
    return file.getvalue()


def _npz_rows(content: bytes, columns: tuple[Column, ...]) -> dict[str, Any]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {column.name: arrays[column.name] for column in columns}


_KINDS: dict[str, Callable[[Vectors, str], bytes]] = {".npz": _npz, ".csv": _csv, ".hex": _hex, ".mem": _hex}
