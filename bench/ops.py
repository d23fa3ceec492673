#!/usr/bin/env python3
"""Every op of autograd/ops.h here and in PyTorch, in turn: make bench-ops.

    ops.py --bench RUN-BENCH --python "PYTHON..." [--ops "softmax add"] [--sizes "64x64"]
           [--quick]

Microseconds, the least of a few rounds, and PyTorch's time divided by ours: above 1, ours is
faster. `forward` is without gradients, `both` is forward and backward of sum(op). Of two
interpreters the faster one counts, for each figure. First, each op's result and gradients are
compared. --quick does only that, at small sizes.
"""
import os
import re
import sys

from side import HERE, Died, Side, arguments, mean, rows_of, torch_sides

OPS = os.path.join(HERE, "ops.def")
SIZES = ((32, 32), (1000, 37), (1024, 1024))
THREADS = (1, 2)
COLUMNS = [(what, threads) for threads in THREADS for what in ("forward", "both")]
ROUNDS = 5


def chosen(names):
    rows = rows_of(OPS)
    unknown = [name for name in names if not any(is_of(row, name) for row in rows)]
    if unknown:
        sys.exit(f"bench-ops: no op {unknown[0]} in bench/ops.def")
    return [row for row in rows if not names or any(is_of(row, name) for name in names)]


def is_of(row, name):
    return row.name == name or row.name.startswith(name + "_")


def sizes_of(words):
    for word in words:
        if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", word):
            sys.exit(f"bench-ops: size {word}: two numbers expected, as in 64x64")
    return [tuple(map(int, word.split("x"))) for word in words] or SIZES


def missing():
    """What ops.h declares and ops.def does not measure."""
    with open(os.path.join(HERE, "../autograd/ops.h"), encoding="utf-8") as file:
        declared = re.findall(r"^#define tg_(\w+)\(", file.read(), re.MULTILINE)
    with open(OPS, encoding="utf-8") as file:
        measured = set(re.findall(r"\btg_(\w+?)(?:_at)?\(", file.read()))
    return [name for name in declared if not {name, name + "_scalar"} & measured]


def differ(row, size, ours, theirs):
    """Whether sums of absolute values are not the same within rounding."""
    pairs = zip(map(float, ours.split()), map(float, theirs.split()))
    noise = 1e-6 * size[0] * size[1]  # some sums are zero but for it
    return row.kind != "RANDOM" and any(
        not abs(a - b) <= 1e-3 * max(abs(a), abs(b)) + noise for a, b in pairs)


def measure(ours, theirs, row, size):
    """(what, threads) -> microseconds here and there."""
    seconds = 0.006 if size[0] * size[1] < 1e5 else 0.03
    least = {}
    for column in COLUMNS:
        if column[0] == "both" and row.kind == "DECISION":
            continue
        a = b = float("inf")
        for _ in range(ROUNDS):
            a = min(a, float(ours.ask("time", *column, seconds)))
            for side in theirs[column[1]]:
                b = min(b, float(side.ask("time", *column, seconds)))
        least[column] = (a / 1000, b / 1000)
    return least


def line(name, least):
    text = f"{name:20}"
    for column in COLUMNS:
        a, b = least.get(column, (None, None))
        text += f" |{a:8.1f} {b:8.1f} {b / a:5.1f}" if a else f" |{'':23}"
    print(text, flush=True)


def summary(name, values):
    print(f"{name:20}" + "".join(f" |{'':17} {values[column]:>5}" for column in COLUMNS))


def table(ours, theirs, rows, size):
    print(f"\n{size[0]} x {size[1]}: us here, us in PyTorch, ratio")
    print(f"{'':20}" + "".join(f" |{f'{what}, {n} thread' + 's' * (n > 1):>23}"
                                for what, n in COLUMNS))
    ratios = {column: [] for column in COLUMNS}
    for row in rows:
        compare(ours, theirs, row, size)
        least = measure(ours, theirs, row, size)
        line(row.name, least)
        for column, (a, b) in least.items():
            ratios[column].append(b / a)
    summary("geometric mean", {c: f"{mean(ratios[c]):.2f}" for c in COLUMNS})
    summary("below 1", {c: sum(ratio < 1 for ratio in ratios[c]) for c in COLUMNS})


def compare(ours, theirs, row, size):
    sides = [side for sides in theirs.values() for side in sides]
    for side in (ours, *sides):
        side.ask("set", row.name, *size)
    here, there = ours.ask("check"), [side.ask("check") for side in sides]
    if any(differ(row, size, here, sums) for sums in there):
        sys.exit(f"bench-ops: {row.name} at {size[0]} x {size[1]} differs from PyTorch: "
                 f"sums of |result| and |gradients| {here}, {there[0]} there")


def main():
    args = arguments("bench-ops", "ops", "sizes")
    rows, sizes = chosen(args.ops), sizes_of(args.sizes)
    if missing():
        print("bench-ops: bench/ops.def has no line for", *missing(), file=sys.stderr)
        if args.quick:
            sys.exit(1)
    ours = Side(args.bench, "ops")
    theirs = {n: torch_sides(args.python, "torch_ops.py", OPS, threads=n)
              for n in (THREADS[:1] if args.quick else THREADS)}
    for side in theirs[1]:
        print(side.ask("about"))
    for size in sizes[:2] if args.quick else sizes:
        if args.quick:
            for row in rows:
                compare(ours, theirs, row, size)
        else:
            table(ours, theirs, rows, size)
    if args.quick:
        print(f"{len(rows)} ops: results and gradients as PyTorch's")


if __name__ == "__main__":
    try:
        main()
    except Died as error:
        sys.exit(f"bench-ops: {error}")
