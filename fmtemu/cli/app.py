"""The commands and their options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from zipfile import BadZipFile

import typer
from rich.console import Console

from fmtemu.cli.cast import cast as cast_and_print
from fmtemu.cli.cast_tensor import Job
from fmtemu.cli.explain import explain as print_explanation
from fmtemu.cli.explain_scaled import explain_scaled, parse_block
from fmtemu.cli.listing import list_formats
from fmtemu.cli.number import parse_number
from fmtemu.cli.show import show as print_facts
from fmtemu.cli.show_scaled import show_scaled
from fmtemu.cli.table import table as print_table
from fmtemu.explore.command import explore
from fmtemu.files.elements import float_element
from fmtemu.formats import Scaled, as_format
from fmtemu.packing import LAYOUTS
from fmtemu.quantizer import as_quantizer

app = typer.Typer(
    name="fmtemu",
    help="Number formats: look at them, see how they round, and find the one your model needs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_FORMAT_HELP = "A name (e4m3fn, posit8, int4; see `fmtemu list`) or a spelling like float<3,2,none> or posit<6,1>."
_ROUNDING_HELP = "nearest_even (the default), toward_zero, to_odd, stochastic(8) and so on."
_OVERFLOW_HELP = "What too large numbers become: saturate, infinity, wrap ..."
_EDGES_HELP = "All edges at once as a known library has them: ml_dtypes, torch, jax, p3109, hls."
RoundingName = Annotated[str | None, typer.Option(help=_ROUNDING_HELP, show_default=False)]
OverflowName = Annotated[str | None, typer.Option(help=_OVERFLOW_HELP, show_default=False)]
EdgesName = Annotated[str | None, typer.Option(help=_EDGES_HELP, show_default=False)]
FormatName = Annotated[str, typer.Argument(metavar="FORMAT", help=_FORMAT_HELP, show_default=False)]


@contextmanager
def _user_input() -> Iterator[None]:
    """Input that the library refuses ends the program with its one line and exit code 2."""
    try:
        yield
    except (ValueError, TypeError, OSError, BadZipFile) as error:
        typer.echo(f"fmtemu: {error}", err=True)
        raise typer.Exit(2) from None


def _console() -> Console:
    return Console(highlight=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        from fmtemu import __version__

        typer.echo(f"fmtemu {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@app.command()
def show(format: FormatName) -> None:
    """Show what a format is: its layout, range, precision, special codes, and where its values lie."""
    with _user_input():
        fmt = as_format(format)
    if isinstance(fmt, Scaled):
        show_scaled(fmt, _console())
    else:
        print_facts(fmt, _console())


@app.command()
def table(
    format: FormatName,
    plain: Annotated[
        bool, typer.Option("--plain", help="Fixed columns without colours, as formats above 8 bits always have.")
    ] = False,
) -> None:
    """List every code of a format (up to 16 bits) with its bits by field and its value.

    The bits are split into sign, exponent and mantissa; a posit's into sign, regime, exponent and
    fraction. Long tables read well in a pager: fmtemu table float16 | less
    """
    with _user_input():
        print_table(as_format(format), _console(), plain)


@app.command("list")
def list_(
    group: Annotated[str | None, typer.Option(help='Only this group, as in "8-bit floating point".')] = None,
) -> None:
    """List the formats that have a name, with their other names and where they come from."""
    with _user_input():
        list_formats(group, _console())


# Without this, -1.5 would be taken for an option.
@app.command(context_settings={"ignore_unknown_options": True})
def explain(
    number: Annotated[
        str,
        typer.Argument(help="A decimal, a fraction (1/3), a hex float (0x1.8p-2), nan or inf.", show_default=False),
    ],
    format: Annotated[str, typer.Option(metavar="FORMAT", help=_FORMAT_HELP, show_default=False)],
    rounding: RoundingName = None,
    overflow: OverflowName = None,
    edges: EdgesName = None,
    block: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS", help="The others of its tile, for a format with scales: 3,0.5,-12.", show_default=False
        ),
    ] = None,
) -> None:
    """Explain what a number becomes in a format, step by step, and why.

    The number is taken exactly as written, not rounded to a float first. Examples:
    fmtemu explain 957 --format e4m3fn
    fmtemu explain 3 --format mxfp4 --block 957,0.5,-12
    """  # fmt: skip
    with _user_input():
        x = parse_number(number)
        quantizer = as_quantizer(format, rounding=rounding, overflow=overflow, edges=edges)
        others = parse_block(block, x, quantizer)
    if isinstance(quantizer.format, Scaled):
        explain_scaled(number, x, others, quantizer, _console())
    else:
        print_explanation(number, x, quantizer, _console())


_FILE_HELP = "A file that ends with .npy, .npz or .safetensors."
_PATTERN_HELP = "tensors whose names match, as in 'layers.*.weight'; may be given several times."


@app.command()
def cast(
    source: Annotated[Path, typer.Argument(metavar="IN", help=_FILE_HELP, show_default=False)],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write, of any of these kinds.", show_default=False)
    ],
    format: Annotated[str, typer.Option(metavar="FORMAT", help=_FORMAT_HELP, show_default=False)],
    rounding: RoundingName = None,
    overflow: OverflowName = None,
    edges: EdgesName = None,
    seed: Annotated[
        int | None, typer.Option(help="0 <= seed < 2**64, which a stochastic rounding needs.", show_default=False)
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help=f"Cast only {_PATTERN_HELP}", show_default=False)
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help=f"Do not cast {_PATTERN_HELP}", show_default=False)
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="What the values are written as: float32, bfloat16 ...; else as before.", show_default=False),
    ] = None,
    packed: Annotated[
        bool, typer.Option("--packed", help="Write codes in place of values, packed into bytes, to .safetensors.")
    ] = False,
    layout: Annotated[
        str | None, typer.Option(help=f"The order of packed codes: {', '.join(LAYOUTS)}.", show_default=False)
    ] = None,
) -> None:
    """Cast the arrays of a file, or the tensors of a checkpoint, to a number format.

    Tensors of floating-point numbers are cast, all others copied, one piece
    at a time. OUT is replaced when all is written, and may be IN. Example:
    fmtemu cast model.safetensors small.safetensors --format int4 --packed
    """
    with _user_input():
        quantizer = as_quantizer(format, rounding=rounding, overflow=overflow, edges=edges)
        if quantizer.rounding.is_stochastic and seed is None:
            raise ValueError(f"{quantizer.rounding} rounding needs --seed")
        if packed and dtype is not None:
            raise ValueError("--dtype is for values, and --packed writes codes")
        if packed and target.suffix != ".safetensors":
            raise ValueError(f"--packed writes .safetensors files, got {target}")
        if layout is not None and not packed:
            raise ValueError("--layout is for codes: give --packed too")
        element = None if dtype is None else float_element(dtype)
        chosen_layout = (layout or "little") if packed else None
        cast_and_print(
            Job(quantizer, seed, element, chosen_layout, include or ["*"], exclude or []), source, target, _console()
        )


PythonName = Annotated[
    str | None, typer.Option("--python", metavar="MODULE:FUNCTION", help="A function of an array.", show_default=False)
]
CommandLine = Annotated[
    str | None, typer.Option("--command", help="A program: bytes in, bytes out, little-endian.", show_default=False)
]
TimeOut = Annotated[
    float | None, typer.Option(help="Seconds for one call, in a process of its own.", show_default=False)
]
SourceName = Annotated[
    str | None, typer.Option(help="The dtype of the inputs: float16, float32 or float64.", show_default=False)
]


@app.command()
def vectors(
    format: FormatName,
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="What to write: a .npz, .csv, .hex or .mem file.", show_default=False),
    ],
    rounding: RoundingName = None,
    overflow: OverflowName = None,
    edges: EdgesName = None,
    source: SourceName = None,
    most: Annotated[
        int | None,
        typer.Option(help="The most rows: specials, edges and a sample of the rest.", show_default="16384 inputs"),
    ] = None,
) -> None:
    """Write golden vectors: inputs where a cast decides, and the codes they must give.

    Verilog's $readmemh loads .hex and .mem files. The manifest FILE.json
    says which bits of a word are what. Example:
    fmtemu vectors e4m3fn --rounding toward_zero --out e4m3fn.mem
    """
    from fmtemu.cli.vectors import write_vectors

    with _user_input():
        quantizer = as_quantizer(format, rounding=rounding, overflow=overflow, edges=edges)
        write_vectors(quantizer, source or "float32", most, out, _console())


@app.command()
def check(
    format: FormatName,
    python: PythonName = None,
    command: CommandLine = None,
    table: Annotated[
        Path | None, typer.Option(help="Recorded inputs and outputs, .npz or .csv.", show_default=False)
    ] = None,
    rounding: RoundingName = None,
    overflow: OverflowName = None,
    edges: EdgesName = None,
    source: SourceName = None,
    codes: Annotated[bool, typer.Option("--codes", help="The caster gives raw codes, not values.")] = False,
    timeout: TimeOut = None,
    most: Annotated[int, typer.Option(help="Of formats with more codes than this a sample is tried.")] = 1 << 16,
) -> None:
    """Check how a caster rounds: a function, a program, or recorded results.

    Names each law of casting that is broken, with the simplest input that
    shows it, and what the caster seems to do instead. Exit code 1 if any is.
    Example: fmtemu check e4m3fn --python mycode:to_fp8 --overflow infinity
    """
    from fmtemu.cli.check import check as run_check
    from fmtemu.cli.check import load_caster

    with _user_input():
        quantizer = as_quantizer(format, rounding=rounding, overflow=overflow, edges=edges)
        returns = "codes" if codes else "values"
        caster = load_caster(python, command, table, source or "float32", returns)
        options = {"source": source, "returns": returns, "timeout": timeout, "most": most}
        if not run_check(caster, quantizer, _console(), **options):
            raise typer.Exit(1)


@app.command()
def identify(
    python: PythonName = None, command: CommandLine = None, source: SourceName = None, timeout: TimeOut = None
) -> None:
    """Find the format, rounding and edges of an unknown caster.

    Example: fmtemu identify --python mycode:to_fp8
    """
    from fmtemu.cli.check import load_caster, print_identity

    with _user_input():
        chosen = source or "float32"
        if not print_identity(load_caster(python, command, None, chosen, "values"), chosen, timeout, _console()):
            raise typer.Exit(1)


app.command()(explore)
