#!/usr/bin/env python3
"""Prints the one table of the bench, and writes results.json and ratios.svg, and the table into a README.

report.py MIGRATE.json OTHER.tsv RESULTS.json RATIOS.svg [README.md]
OTHER.tsv has the rows that are not about migrating: what, number, unit, "<=" or ">=" or "", limit.
The README's table stands between a line "<!-- bench -->" and a line "<!-- /bench -->".
"""
import json
import math
import os
import pathlib
import subprocess
import sys

COLUMNS = ("alembic", "sqitch", "dbmate", "node-pg-migrate", "graphile-migrate", "liquibase", "psql -1")
HEADS = ("alembic", "sqitch", "dbmate", "node-pg", "graphile", "liquibase", "psql -1")
EACH = ", each its transaction"
LABELS = {"wall": "wall", "cpu": "CPU with children", "trips": "round trips", "memory": "peak memory"}
ENGINES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def amount(measure, value):
    if value is None:
        return "–"
    if measure == "trips":
        return f"{value:,}"
    if measure == "memory":
        return f"{value:.1f} MiB"
    return f"{value:.1f} ms" if value < 1000 else f"{value / 1000:.2f} s"


def times(value):
    return f"{value:.0f}x" if value >= 100 else f"{value:.1f}x" if value >= 10 else f"{value:.2f}x"


def bound(row, measure):
    """(what is wanted, whether it is met) for drover against the floor."""
    wanted = row["wanted"].get(measure)
    if not wanted:
        return "", True
    word, number = wanted
    drover, floor = row["tools"]["drover"], row["tools"]["floor"]
    if word == "times":
        return f"at most {number}x", drover[measure + " ratio"] <= number
    if word == "plus":
        return f"floor + {number} ms", drover["wall difference"] <= number
    if word == "below":
        return f"under {number} MiB", drover[measure] < number
    if word == "plus n":
        limit = row["count"] + number
        return f"at most {limit:,}", drover[measure] <= limit
    return f"at most {1 / number:.2f}x", drover[measure + " ratio"] <= 1 / number


def rivals(row, measure):
    """Names of the peers that drover does not beat as it is wanted."""
    if measure not in ("wall", "cpu") or not row["wanted"].get("peers"):
        return []
    factor = 3 if row["wanted"].get("flush") and measure == "wall" else 1
    key = measure + " of drover's"
    return [name for name, tool in row["tools"].items() if name not in ("drover", "floor") and "floor" not in name and tool.get(key, math.inf) < factor]


def cell(row, name, measure):
    out = []
    for key in (name, name + EACH):
        tool = row["tools"].get(key)
        if tool is None:
            continue
        if tool.get("why") == "not installed":
            out.append("not inst.")
        elif tool.get("why") == "failed":
            out.append("failed")
        elif tool.get(measure) is not None:
            out.append(times(tool[measure + " ratio"]))
    return "/".join(out) or "–"


def judged(row):
    """Lines of the table for one job: label, drover, floor, ratio, wanted, verdict, and the peers' ratios."""
    drover, floor = row["tools"]["drover"], row["tools"]["floor"]
    label = f"{row['name']}, {ENGINES[row['engine']]}"
    if "why" in drover or "why" in floor:
        yield [label, drover.get("why", ""), floor.get("why", ""), "", "", "falls short: it did not run"] + ["–"] * len(COLUMNS)
        return
    for measure in LABELS:
        if drover.get(measure) is None or (measure == "memory" and measure not in row["wanted"]):
            continue
        wanted, is_met = bound(row, measure)
        beaten_by = rivals(row, measure)
        verdict = "" if is_met else "falls short"
        if beaten_by:
            more = "3 times faster than" if row["wanted"].get("flush") and measure == "wall" else "less than"
            verdict = (verdict + "; " if verdict else "falls short: ") + f"not {more} {', '.join(beaten_by)}"
        yield [
            f"{label}: {LABELS[measure]}", amount(measure, drover[measure]), amount(measure, floor.get(measure)),
            times(drover[measure + " ratio"]), wanted, verdict or ("ok" if wanted or row["wanted"].get("peers") and measure in ("wall", "cpu") else ""),
        ] + [cell(row, name, measure) for name in COLUMNS]


def other_lines(path):
    for line in pathlib.Path(path).read_text().splitlines():
        what, number, unit, relation, limit = (line.split("\t") + [""] * 5)[:5]
        is_met = not relation or (float(number) <= float(limit) if relation == "<=" else float(number) >= float(limit))
        wanted = f"{'at most' if relation == '<=' else 'at least'} {limit} {unit}" if relation else ""
        verdict = "" if not relation else "ok" if is_met else "falls short"
        yield {"what": what, "number": float(number), "unit": unit, "wanted": wanted, "verdict": verdict}


def draw(rows, path):
    """The ratios of the whole runs' time to the floor's, on a logarithmic scale."""
    colors = dict(zip(COLUMNS, ("#b8860b", "#7a3e9d", "#1f77b4", "#2e8b57", "#d2691e", "#8b8b00", "#666666")))
    rows = [row for row in rows if "why" not in row["tools"]["drover"] and "why" not in row["tools"]["floor"]]
    left, width, step, top = 290, 560, 24, 64
    low, high = math.log10(0.1), math.log10(500)
    height = top + step * len(rows) + 40

    def x(ratio):
        return left + width * (min(max(math.log10(ratio), low), high) - low) / (high - low)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 40} {height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="16" y="22" font-size="14" font-weight="bold">Wall time of a whole run, as a multiple of the floor (log scale; less is better)</text>',
    ]
    at = 16
    for name, color in {"drover": "#c00000", **colors}.items():
        out.append(f'<circle cx="{at + 5}" cy="40" r="5" fill="{color}"/><text x="{at + 14}" y="44">{name}</text>')
        at += 30 + 7 * len(name)
    for tick in (0.1, 0.3, 1, 3, 10, 30, 100, 300):
        bold = ' stroke-width="2"' if tick == 1 else ""
        out.append(f'<line x1="{x(tick):.1f}" y1="{top - 8}" x2="{x(tick):.1f}" y2="{height - 30}" stroke="{"#333333" if tick == 1 else "#dddddd"}"{bold}/>')
        out.append(f'<text x="{x(tick):.1f}" y="{height - 14}" text-anchor="middle">{tick:g}x</text>')
    for i, row in enumerate(rows):
        y = top + step * i + 10
        out.append(f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{row["name"]}, {ENGINES[row["engine"]]}</text>')
        for name in (*COLUMNS, "drover"):
            tool = row["tools"].get(name, {})
            if tool.get("wall ratio"):
                radius, color = (6, "#c00000") if name == "drover" else (4.5, colors[name])
                out.append(f'<circle cx="{x(tool["wall ratio"]):.1f}" cy="{y}" r="{radius}" fill="{color}" fill-opacity="0.85"><title>{name} {times(tool["wall ratio"])}</title></circle>')
    pathlib.Path(path).write_text("\n".join(out) + "\n</svg>\n")


def write_readme(table, path):
    """Every row with its verdict; the peers' figures stay in results.json and in the picture."""
    rows = ["| what | drover | floor | ratio | wanted | |", "|---|---|---|---|---|---|"]
    for what, drover, floor, ratio, wanted, verdict, *_ in table[1:]:
        shown = f"**{verdict}**" if "falls short" in verdict else verdict
        rows.append(f"| {what} | {drover} | {floor} | {ratio} | {wanted} | {shown} |")
    file = pathlib.Path(path)
    head, begin, rest = file.read_text().partition("<!-- bench -->\n")
    _, end, tail = rest.partition("<!-- /bench -->\n")
    if not begin or not end:
        sys.exit(f"{path} has no place for the table: <!-- bench --> and <!-- /bench -->")
    file.write_text(head + begin + "\n".join(rows) + "\n" + end + tail)


def machine():
    server = subprocess.run(["/usr/lib/postgresql/15/bin/postgres", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return {"processors": os.cpu_count(), "load": [round(v, 1) for v in os.getloadavg()], "server": server, "kernel": os.uname().release}


def main():
    migrate, others, results, picture, *readme = sys.argv[1:6]
    rows = json.loads(pathlib.Path(migrate).read_text())["rows"]
    lines = [line for row in rows for line in judged(row)]
    other = list(other_lines(others))
    table = [["what", "drover", "floor", "ratio", "wanted", "verdict", *HEADS]] + lines
    table += [[row["what"], f"{row['number']:g} {row['unit']}", "–", "–", row["wanted"], row["verdict"]] + ["–"] * len(HEADS) for row in other]
    # The verdict goes last: it may be long.
    order = [0, 1, 2, 3, 4, *range(6, 6 + len(HEADS)), 5]
    widths = [max(len(line[i]) for line in table) for i in order]
    for line in table:
        print("  ".join(line[i].ljust(w) if i in (0, 4, 5) else line[i].rjust(w) for i, w in zip(order, widths)).rstrip())
    print("The peers' columns are ratios to the floor, too; a / b: all in one transaction, and each revision in its own.")
    short = sum("falls short" in line[5] for line in lines) + sum(row["verdict"] == "falls short" for row in other)
    print(f"{short} of {len(lines) + len(other)} rows fall short.")
    document = {"machine": machine(), "migrate": rows, "other": other, "table": [dict(zip(table[0], line)) for line in table[1:]]}
    pathlib.Path(results).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    draw(rows, picture)
    if readme:
        write_readme(table, readme[0])


if __name__ == "__main__":
    main()
