"""The picture of a sweep: score against cost, with one Pareto front per family of formats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from matplotlib.transforms import Bbox

from fmtemu.explore.front import pareto_front

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation


@dataclass(frozen=True)
class Style:
    """How a family is drawn; marker and line alone tell families apart without colour."""

    color: str
    marker: str
    line: str | tuple[int, tuple[int, ...]]


# Okabe and Ito's colours, which differ in brightness too and for colour-blind readers.
_STYLES = {
    "integer": Style("#0072B2", "s", "-"),
    "minifloat": Style("#D55E00", "o", "--"),
    "posit": Style("#009E73", "^", ":"),
    "mixed": Style("#555555", "D", "-."),
}
_OTHER = Style("#CC79A7", "v", (0, (6, 1, 1, 1, 1, 1)))
_LABEL_POINTS = 7.5
#: Where a label may stand, in points from its marker; the first that hits nothing is taken.
_PLACES = [
    (dx * reach, dy * reach) for reach in (9, 16, 26, 38, 52, 68, 86) for dx, dy in (
        (1, -1), (-1, 1), (0, -1.4), (0, 1.4), (1.4, -0.4), (-1.4, 0.4), (1.4, 0.5), (-1.4, -0.5), (1, 1), (-1, -1)
    )
]  # fmt: skip


def plot_front(
    table: pd.DataFrame, cost: str, path: Path, *, float32_score: float, cost_label: str, title: str = ""
) -> None:
    """Draw the table of a sweep to ``path`` (png, pdf or svg, by its name).

    Small markers are configurations; each family's Pareto front is a line; the front of all families
    has large filled markers, labelled "weights / activations". The dashed level is the float32 score.
    """
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.add_subplot()
    scored = table[table["score"].notna() & table[cost].notna()]
    whole = pareto_front(table, cost)
    for family in sorted(scored["family"].unique(), key=_order):
        _draw_family(axes, family, scored[scored["family"] == family], cost)
    for family, rows in whole.groupby("family"):
        style = _STYLES.get(str(family), _OTHER)
        axes.plot(rows[cost], rows["score"], style.marker, ms=9, mfc=style.color, mec="black", mew=1.3, zorder=5)
    axes.axhline(float32_score, color="black", lw=0.8, ls=(0, (1, 3)), zorder=1)
    if len(scored) and scored[cost].max() > 8 * scored[cost].min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
    _choose_view(axes, scored, whole, cost, float32_score)
    axes.set_xlabel(cost_label)
    axes.set_ylabel("score")
    below = int((whole["score"] < axes.get_ylim()[0]).sum())
    counted = f"{len(scored)} configurations, {len(whole)} on the front" + (
        f", {below} below the picture" * bool(below)
    )
    axes.set_title(title or f"Score against cost: {counted}", loc="left")
    axes.grid(which="both", color="#e6e6e6", lw=0.6)
    axes.set_axisbelow(True)
    axes.annotate(
        f"float32: {float32_score:.4g}", (0.006, float32_score), xycoords=("axes fraction", "data"),
        xytext=(0, 3), textcoords="offset points", fontsize=_LABEL_POINTS + 1, in_layout=False,
    )  # fmt: skip
    if len(scored):
        axes.legend(loc="lower right", title="Pareto front of", framealpha=1, handlelength=4)
    _label(figure, axes, [(r[cost], r["score"], f"{r['weights']} / {r['activations']}") for _, r in whole.iterrows()])
    figure.savefig(path, dpi=150)


def _order(family: str) -> int:
    return list(_STYLES).index(family) if family in _STYLES else len(_STYLES)


def _draw_family(axes: Axes, family: str, rows: pd.DataFrame, cost: str) -> None:
    style = _STYLES.get(family, _OTHER)
    axes.plot(rows[cost], rows["score"], style.marker, ms=3, mfc="none", mec=style.color, mew=0.5, alpha=0.35, zorder=2)
    front = pareto_front(rows, cost)
    axes.plot(
        front[cost], front["score"], color=style.color, ls=style.line, lw=1.6, marker=style.marker, ms=5,
        mfc="white", mec=style.color, drawstyle="steps-post", label=family, zorder=4,
    )  # fmt: skip


def _choose_view(axes: Axes, scored: pd.DataFrame, whole: pd.DataFrame, cost: str, float32_score: float) -> None:
    """Show the region where the front decides: above its lowest point, and not far past its costliest."""
    if not len(whole):
        return
    # The cheapest formats may score like guessing; a few such must not press the rest into a line.
    ceiling = max(whole["score"].max(), float32_score)
    lowest, usual = (min(whole["score"].quantile(q), float32_score) for q in (0, 0.2))
    floor = lowest if ceiling - lowest <= 4 * (ceiling - usual) else usual
    span = max(ceiling - floor, 1e-6 * max(abs(ceiling), 1.0))
    axes.set_ylim(floor - 0.12 * span, ceiling + 0.12 * span)
    right = scored[scored["score"] >= floor][cost].quantile(0.98)
    axes.set_xlim(whole[cost].min() / 1.08, max(right, whole[cost].max()) * 1.15)


def _label(figure: Figure, axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Write each point's label at the first place where it covers no other label and no front marker."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    figure.draw_without_rendering()  # fixes the layout, which the places depend on
    figure.set_layout_engine("none")
    frame = axes.get_window_extent()
    inside = [p for p in points if axes.viewLim.contains(p[0], p[1])]
    markers = [_around(axes, x, y) for x, y, _ in inside]
    legend = axes.get_legend()
    taken = [*markers, *([legend.get_window_extent()] if legend else [])]
    for x, y, text in inside:
        label = _place(axes, renderer, frame, taken, x, y, text)
        taken.append(_extent(label, renderer))


def _place(
    axes: Axes, renderer: RendererAgg, frame: Bbox, taken: Iterable[Bbox], x: float, y: float, text: str
) -> Annotation:
    label = axes.annotate(
        text, (x, y), xytext=_PLACES[0], textcoords="offset points", fontsize=_LABEL_POINTS, zorder=6,
        arrowprops={"arrowstyle": "-", "lw": 0.6, "color": "#333333", "shrinkB": 5},
        bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.85},
    )  # fmt: skip
    for dx, dy in _PLACES:
        label.set_position((dx, dy))
        label.set_horizontalalignment("left" if dx > 0 else "right" if dx < 0 else "center")
        label.set_verticalalignment("bottom" if dy > 0 else "top")
        box = _extent(label, renderer).padded(1)
        within = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        if within and not any(box.overlaps(other) for other in taken):
            break
    return label


def _extent(label: Annotation, renderer: RendererAgg) -> Bbox:
    label.update_positions(renderer)
    return Text.get_window_extent(label, renderer)  # an Annotation's own would count the line to its point


def _around(axes: Axes, x: float, y: float) -> Bbox:
    px, py = axes.transData.transform((x, y))
    return Bbox.from_extents(px - 8, py - 8, px + 8, py + 8)
