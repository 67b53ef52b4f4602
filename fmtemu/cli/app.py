"""The commands and their options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from fmtemu.cli.explain import explain as print_explanation
from fmtemu.cli.listing import list_formats
from fmtemu.cli.number import parse_number
from fmtemu.cli.show import show as print_facts
from fmtemu.cli.table import table as print_table
from fmtemu.explore.command import explore
from fmtemu.formats import as_format
from fmtemu.quantizer import as_quantizer

app = typer.Typer(
    name="fmtemu",
    help="Number formats: look at them, see how they round, and find the one your model needs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_FORMAT_HELP = "A name (e4m3fn, posit8, int4; see `fmtemu list`) or a spelling like float<3,2,none> or posit<6,1>."
FormatName = Annotated[str, typer.Argument(metavar="FORMAT", help=_FORMAT_HELP, show_default=False)]


@contextmanager
def _user_input() -> Iterator[None]:
    """Input that the library refuses ends the program with its one line and exit code 2."""
    try:
        yield
    except (ValueError, TypeError) as error:
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
    rounding: Annotated[
        str | None,
        typer.Option(
            help="nearest_even (the default), toward_zero, to_odd, stochastic(8) and so on.", show_default=False
        ),
    ] = None,
    overflow: Annotated[
        str | None, typer.Option(help="What too large numbers become: saturate, infinity, wrap ...", show_default=False)
    ] = None,
    edges: Annotated[
        str | None,
        typer.Option(
            help="All edges at once as a known library has them: ml_dtypes, torch, jax, p3109, hls.", show_default=False
        ),
    ] = None,
) -> None:
    """Explain what a number becomes in a format, step by step, and why.

    The number is taken exactly as written, not rounded to a float first. Example:
    fmtemu explain 957 --format e4m3fn
    """  # fmt: skip
    with _user_input():
        x = parse_number(number)
        quantizer = as_quantizer(format, rounding=rounding, overflow=overflow, edges=edges)
    print_explanation(number, x, quantizer, _console())


app.command()(explore)
