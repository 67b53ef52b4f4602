"""The command ``fmtemu explore``. Importing it imports neither torch nor optuna nor pandas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fmtemu.explore.study import ExploreError

if TYPE_CHECKING:
    from fmtemu.explore.sweep import Exploration

_FORMATS_HELP = (
    "Formats for the {side}: names separated by commas (int4sym,e4m3none,posit<8,1>; see `fmtemu list`), "
    "or the groups integer (int3sym..int8sym), minifloat (all splits of 3..8 bits), "
    "posit (4..8 bits, es 0..2), default (all three: 48 formats)."
)


def explore(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY",
            help="A Python file (or file.py:function, or module:function) whose function study() returns "
            "fmtemu.explore.Study(model, calibration, evaluate).",
            show_default=False,
        ),
    ],
    weights: Annotated[str, typer.Option(metavar="FORMATS", help=_FORMATS_HELP.format(side="weights"))] = "default",
    activations: Annotated[
        str, typer.Option(metavar="FORMATS", help="Formats for the inputs of the layers, written as for --weights.")
    ] = "default",
    calibration: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            help="How scales are found: least_squares (least squared error), absmax (the largest magnitude lands on "
            "the format's largest value), percentile (that of 99.9 % does) or, of integers and fixed point, octav.",
        ),
    ] = "least_squares",
    cost: Annotated[
        str,
        typer.Option(
            metavar="COST",
            help="What the front weighs the score against: xilinx7 (LUTs of one multiply-accumulate) or bits "
            "(moved per multiply-accumulate). All costs are in results.csv; a second run with another one is quick.",
        ),
    ] = "xilinx7",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for results.csv, front.png, the trained model and the Optuna study. "
            "By default fmtemu-out/<name of STUDY>.",
            show_default=False,
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Keep the Optuna study there instead (postgresql://..., mysql://...), so that several machines work "
            "at it: start the same command on each.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Worker processes; by default one per core.", show_default=False)
    ] = None,
) -> None:
    """Find the number formats that give your model the best score for its cost.

    Quantizes the weights (a scale per output channel) and the inputs (a scale
    per tensor) of every Linear and Conv layer with every pair of formats,
    scores the model, and prints the Pareto front: the pairs that nothing beats
    in both score and cost. Interrupt it whenever you like: the same command
    goes on where it stopped.
    """
    try:
        _run_and_print(study, weights, activations, calibration, cost, out, storage, jobs)
    except ExploreError as error:
        typer.echo(f"fmtemu: {error}", err=True)
        raise typer.Exit(2) from None


def _run_and_print(
    study: str,
    weights: str,
    activations: str,
    calibration: str,
    cost: str,
    out: Path | None,
    storage: str | None,
    jobs: int | None,
) -> None:
    from fmtemu.explore import run

    found = run(
        study,
        weights=weights,
        activations=activations,
        calibration=calibration,
        cost=cost,
        out=out,
        storage=storage,
        jobs=jobs,
        progress=True,
    )
    print_front(found)


def print_front(found: Exploration) -> None:
    """Print the Pareto front of a sweep and where its files are."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from fmtemu.explore.costs import COSTS

    console = Console(highlight=False)
    title = f"Pareto front of {len(found.table)} configurations; float32 scores {found.float32_score:.4g}"
    table = Table(title=title, caption="Costs: " + ", ".join(f"{name} = {what}" for name, what in COSTS.items()))
    for name in ("weights", "activations", "family"):
        table.add_column(name)
    for name in ("score", "drop", *COSTS):
        table.add_column(name, justify="right", style="bold" if name == found.cost else None)
    for row in found.front.to_dict("records"):
        numbers = [f"{row['score']:.4g}", f"{row['drop']:+.3g}", *(f"{row[name]:.4g}" for name in COSTS)]
        table.add_row(*(escape(str(row[name])) for name in ("weights", "activations", "family")), *numbers)
    console.print(table)
    errors = found.table["error"].dropna()
    if len(errors):
        console.print(f"{len(errors)} configurations failed (see results.csv), the first with {escape(errors.iloc[0])}")
    if found.table["score"].isna().all():
        raise ExploreError(f"every configuration failed, the first with {errors.iloc[0]}")
    console.print(f"Wrote {found.out / 'results.csv'} and {found.out / 'front.png'}", soft_wrap=True)
