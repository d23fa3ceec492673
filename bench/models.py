#!/usr/bin/env python3
"""Training steps of ten models here and in PyTorch, in turn: make bench-models.

    models.py --bench RUN-MODELS --python "PYTHON..." [--models "gpt lenet"] [--quick]

Milliseconds a step, the least of the medians of a few rounds, and PyTorch's divided by ours: above
1, ours is faster. Of two interpreters the faster one counts, for each figure. First, three losses
from the same weights are compared; --quick does only that. Later ones say nothing: Adam's first
steps have one size whatever the gradient's is, so that one that is zero but for rounding counts
(of wgan_gp, two versions of PyTorch differ by 1e-4 after four steps).

Memory: what training adds at its peak, in MB. In processes of their own, on one thread, the model
and its data are made, then the optimiser, whose state PyTorch makes in the first step; the peak is
reset (/proc/self/clear_refs), and four steps follow. The figure is the peak of resident memory
(VmHWM) less the files in it (RssFile), less the anonymous memory before the optimiser was made
(RssAnon): gradients, the optimiser's state, activations, and what the library keeps. PyTorch has
been warmed up, and its malloc works as it comes, which takes the least; for times it keeps its
blocks. Of two interpreters the one that takes less counts.
"""
import sys

from side import Died, Side, arguments, mean, torch_sides

MODELS = ("sasrec", "gru4rec", "multvae", "deepfm", "two_tower", "lenet", "gpt", "lightgcn",
          "wgan_gp", "word2vec")
THREADS = (1, 2)
ROUNDS, SECONDS, STEPS, CHECKED = 3, 1, 4, 3


def start(bench, pythons, threads, keeping=True):
    """Ours, and PyTorch's sides."""
    return Side(bench, str(threads)), torch_sides(pythons, "models/frame.py", threads=threads,
                                                  keeping=keeping)


def end(ours, theirs):
    for side in (ours, *theirs):
        side.end()


def make(name, ours, theirs):
    for side in (ours, *theirs):
        side.ask("make", name)


def compare(name, ours, theirs):
    make(name, ours, theirs)
    here = ours.ask("check", CHECKED)
    for side in theirs:
        there = side.ask("check", CHECKED)
        if any(not abs(a - b) <= 1e-4 * max(abs(a), abs(b))
               for a, b in zip(map(float, here.split()), map(float, there.split()))):
            sys.exit(f"bench-models: {name}: losses {here}, {there} there")


def times(name, bench, pythons, threads):
    """Milliseconds here and there; the losses agree."""
    ours, theirs = start(bench, pythons, threads)
    compare(name, ours, theirs)
    a = b = float("inf")
    for _ in range(ROUNDS):
        a = min(a, float(ours.ask("time", SECONDS)))
        b = min(b, *(float(side.ask("time", SECONDS)) for side in theirs))
    end(ours, theirs)
    return a / 1e6, b / 1e6


def memory(name, bench, pythons):
    """MB here and there."""
    ours, theirs = start(bench, pythons, 1, keeping=False)
    make(name, ours, theirs)
    a, b = int(ours.ask("memory", STEPS)), min(int(side.ask("memory", STEPS)) for side in theirs)
    end(ours, theirs)
    return a / 1e6, b / 1e6


def introduce(theirs):
    for side in theirs:
        print(side.ask("about"))


def quick(names, bench, pythons):
    ours, theirs = start(bench, pythons, 1)
    introduce(theirs)
    for name in names:
        compare(name, ours, theirs)
    print(f"{len(names)} models: losses as PyTorch's")


def table(names, bench, pythons):
    ours, theirs = start(bench, pythons, 1)
    introduce(theirs)
    end(ours, theirs)
    print("ms a step and MB at its peak: here, in PyTorch, ratio\n" + " " * 10 +
          "".join(f" |{title:>23}" for title in ("1 thread", "2 threads", "memory")))
    ratios = [[], [], []]
    for name in names:
        row = [times(name, bench, pythons, n) for n in THREADS] + [memory(name, bench, pythons)]
        print(f"{name:10}" + "".join(f" |{a:8.2f} {b:8.2f} {b / a:5.2f}" for a, b in row),
              flush=True)
        for column, (a, b) in zip(ratios, row):
            column.append(b / a)
    print(f"{'mean':10}" + "".join(f" |{'':17} {mean(column):5.2f}" for column in ratios))


def main():
    args = arguments("bench-models", "models")
    for name in set(args.models) - set(MODELS):
        sys.exit(f"bench-models: no model {name}; there are {' '.join(MODELS)}")
    (quick if args.quick else table)(args.models or MODELS, args.bench, args.python)


if __name__ == "__main__":
    try:
        main()
    except Died as error:
        sys.exit(f"bench-models: {error}")
