"""The table and the plot of what was measured: medians, and ratios to the shell script round by
round.
"""

import os
import pathlib
import platform
import statistics

import lab

MEASURES = {"cpu": "CPU seconds", "wall": "wall seconds", "peak": "peak MB"}
LIMITS = {"none": "all cores", "half": "0.5 CPU, 1 GB"}


def goal(measure: str, project: str, limit: str, contender: str) -> float | None:
    """What a ratio to the script should be at most."""
    if contender == "native":
        if measure == "cpu":
            return {"30": 0.1, "1000": 0.3}.get(project)
        return 0.15 if (measure, limit) == ("wall", "half") else None
    if contender not in ("session", "cached"):
        return None
    if measure == "peak":
        return 1.2
    if measure == "cpu" and project == "30":
        return 0.31 if contender == "cached" else 0.36
    if measure == "wall" and limit == "half":
        return 0.4
    return None


class Summary:
    """All rounds of one case."""

    def __init__(self, records: list[dict], project: str, warehouse: str, limit: str):
        self.project, self.warehouse, self.limit = project, warehouse, limit
        case = {"project": project, "warehouse": warehouse, "limit": limit}
        mine = [record for record in records if case.items() <= record.items()]
        # The last of each, should a round have been measured twice.
        by_round: dict[int, dict[str, dict]] = {}
        for record in mine:
            by_round.setdefault(record["round"], {})[record["contender"]] = record
        self.rounds = [runs for runs in by_round.values() if runs.keys() == lab.CONTENDERS.keys()]

    def median(self, contender: str, measure: str) -> float:
        return statistics.median(runs[contender][measure] for runs in self.rounds)

    def ratios(self, contender: str, measure: str) -> list[float]:
        return sorted(runs[contender][measure] / runs["script"][measure] for runs in self.rounds)

    def rows(self) -> list[str]:
        rows = []
        for contender, label in lab.CONTENDERS.items():
            cells = [self.project, self.warehouse, LIMITS[self.limit], label, str(len(self.rounds))]
            for measure in MEASURES:
                value = self.median(contender, measure)
                cells.append(f"{value / 1e6:.0f}" if measure == "peak" else f"{value:.1f}")
                cells.append("" if contender == "script" else self.ratio(contender, measure))
            rows.append("| " + " | ".join(cells) + " |")
        return rows

    def ratio(self, contender: str, measure: str) -> str:
        ratios = self.ratios(contender, measure)
        text = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        limit = goal(measure, self.project, self.limit, contender)
        return text + (f"; goal {limit:.2f}" if limit is not None else "")


def summaries(records: list[dict]) -> list[Summary]:
    def size(project: str) -> int:
        return 0 if project == "sample" else int(project)

    cases = {(record["project"], record["warehouse"], record["limit"]) for record in records}
    order = sorted(cases, key=lambda case: (case[1], list(LIMITS).index(case[2]), size(case[0])))
    found = [Summary(records, *case) for case in order]
    return [summary for summary in found if summary.rounds]


def write(records: list[dict], out: pathlib.Path) -> None:
    found = summaries(records)
    if not found:
        raise SystemExit("scripts/bench: no round is complete yet")
    times, loads = (
        sorted(record["at"] for record in records),
        [record["load"] for record in records],
    )
    lines = [
        f"{times[0]} to {times[-1]}; {os.cpu_count()} cores, {platform.machine()}, "
        f"Linux {platform.release()}; load before a run "
        f"{min(loads):.1f} to {max(loads):.1f}, median {statistics.median(loads):.1f}.",
        "",
        "Medians; ratios to the shell script in the same round, as median (lowest to highest). "
        "Peak: of the whole process tree, PSS.",
        "",
        "| models | warehouse | held to | what | rounds | CPU s | ratio | wall s | ratio | peak "
        "MB | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [row for summary in found for row in summary.rows()]
    (out / "engines.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    plot(found, out / "engines.svg")


def plot(found: list[Summary], path: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    panels = sorted({(summary.warehouse, summary.limit) for summary in found})
    figure, axes = pyplot.subplots(
        len(panels),
        len(MEASURES),
        figsize=(4 * len(MEASURES), 2.6 * len(panels)),
        squeeze=False,
        sharey="col",
    )
    for row, (warehouse, limit) in enumerate(panels):
        mine = [
            summary for summary in found if (summary.warehouse, summary.limit) == (warehouse, limit)
        ]
        for column, (measure, name) in enumerate(MEASURES.items()):
            panel(axes[row][column], mine, measure)
            axes[row][column].set_title(f"{name}: {warehouse}, {LIMITS[limit]}", fontsize="small")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="lower center", ncols=len(labels), frameon=False, fontsize="small"
    )
    figure.supylabel("ratio to the shell script", fontsize="small")
    figure.tight_layout(rect=(0, 0.4 / (2.6 * len(panels)), 1, 1))
    figure.savefig(path)


def panel(axes, mine: list[Summary], measure: str) -> None:
    engines = [contender for contender in lab.CONTENDERS if contender != "script"]
    width = 0.8 / len(engines)
    for index, contender in enumerate(engines):
        places = [place + (index - (len(engines) - 1) / 2) * width for place in range(len(mine))]
        ratios = [summary.ratios(contender, measure) for summary in mine]
        middles = [statistics.median(values) for values in ratios]
        spread = [
            [middle - values[0] for middle, values in zip(middles, ratios)],
            [values[-1] - middle for middle, values in zip(middles, ratios)],
        ]
        axes.bar(
            places,
            middles,
            width,
            yerr=spread,
            error_kw={"linewidth": 0.6},
            label=lab.CONTENDERS[contender],
        )
        for place, summary in zip(places, mine):
            limit = goal(measure, summary.project, summary.limit, contender)
            if limit is not None:
                axes.plot(
                    [place - width / 2, place + width / 2],
                    [limit, limit],
                    color="black",
                    linewidth=1.5,
                )
    axes.axhline(1, color="gray", linewidth=0.8, linestyle="dashed")
    axes.set_xticks(range(len(mine)), [summary.project for summary in mine], fontsize="small")
    axes.tick_params(axis="y", labelsize="small")
