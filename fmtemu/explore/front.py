"""The Pareto front: what no other configuration beats in both score and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def pareto_front(table: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The rows that nothing beats: highest score for their ``cost``, cheapest first.

    Rows without a score are out. Of rows equal in score and cost one stands: the integer if there
    is one, else the first of the table.
    """
    scored = table[table["score"].notna() & table[cost].notna()]
    ranked = scored.assign(_other=scored["family"] != "integer", _row=range(len(scored))).sort_values(
        [cost, "score", "_other", "_row"], ascending=[True, False, True, True]
    )
    best_below = ranked["score"].astype("float64").cummax().shift(fill_value=float("-inf"))
    return ranked[ranked["score"] > best_below].drop(columns=["_other", "_row"])
