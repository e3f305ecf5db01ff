"""Throughput of our grid archive beside pyribs 0.12 on the same solutions, as ratios of one run.

    pip install 'ribs==0.12.*' && python3 benches/archive/compare.py [--count 100000] [--rounds 3]

The two run in turn, round by round, on one core each; the medians are printed. Both must end with the same archive.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import ribs
from ribs.archives import GridArchive

ROOT = Path(__file__).parents[2]
BATCH, DIMENSIONS, MEASURES = 512, 10, 3


def solutions(count):
    """Measures crowd in the middle of the ranges and fitness rises slowly, as in a run."""
    rng = np.random.default_rng(2206)
    measures = rng.normal(0.5, 0.2, (count, MEASURES))
    fitness = rng.gamma(2.0, 1.0, count) * (1.0 + np.arange(count) / count)
    program = "def make_walker():\n    wc = walker_creator()\n" + "    wc.add_joint(0, 0)\n" * 30
    programs = [f"{program}    return wc.get_walker()  # {i}\n" for i in range(count)]
    return rng.normal(size=(count, DIMENSIONS)), measures, fitness, programs


def pyribs(kind, size, genotypes, measures, fitness):
    options = {"solution_dim": DIMENSIONS}
    if kind == "programs":
        options = {"solution_dim": (), "solution_dtype": object}
    archive = GridArchive(dims=[12] * MEASURES, ranges=[(0.0, 1.0)] * MEASURES, **options)
    start = time.perf_counter()
    if size == "batch":
        for i in range(0, len(fitness), BATCH):
            part = slice(i, i + BATCH)
            archive.add(genotypes[part], fitness[part], measures[part])
    else:
        for genotype, objective, place in zip(genotypes, fitness, measures):
            archive.add_single(genotype, objective, place)
    seconds = time.perf_counter() - start
    return seconds, len(archive), archive.stats.qd_score


def ours(binary, folder, kind, size):
    run = subprocess.run([binary, folder, kind, size], check=True, capture_output=True, text=True)
    result = json.loads(run.stdout)
    return result["seconds"], result["metrics"]["niches"], result["metrics"]["qd_score"]


def build():
    command = ["cargo", "build", "--release", "-p", "qd", "--example", "archive_bench", "--message-format=json"]
    run = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in run.stdout.splitlines()]
    return next(m["executable"] for m in messages if m.get("target", {}).get("name") == "archive_bench")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000, help="solutions added (default 100000)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side (default 3)")
    arguments = parser.parse_args()

    binary = build()
    vectors, measures, fitness, programs = solutions(arguments.count)
    cases = [(kind, size) for kind in ("floats", "programs") for size in ("batch", "single")]
    times = {case: ([], []) for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        for name, array in ("solutions", vectors), ("measures", measures), ("fitness", fitness):
            array.astype("<f8").tofile(Path(folder, f"{name}.f64"))
        Path(folder, "programs.json").write_text(json.dumps(programs))
        objects = np.array(programs, dtype=object)
        few = slice(0, 2 * BATCH)
        for kind, size in cases:  # NumPy and its helpers do things once at their first use.
            pyribs(kind, size, (objects if kind == "programs" else vectors)[few], measures[few], fitness[few])
        for _ in range(arguments.rounds):
            for kind, size in cases:
                genotypes = objects if kind == "programs" else vectors
                theirs, our = pyribs(kind, size, genotypes, measures, fitness), ours(binary, folder, kind, size)
                assert theirs[1] == our[1] and np.isclose(theirs[2], our[2], rtol=1e-12), (theirs, our)
                times[kind, size][0].append(theirs[0])
                times[kind, size][1].append(our[0])

    print(f"pyribs {ribs.__version__}, NumPy {np.__version__}; {arguments.count} solutions, {our[1]} of 1728 niches filled,")
    print(f"QD score {our[2]:.3f} in both; adds a second, medians of {arguments.rounds} rounds\n")
    print("| genotype | adds | pyribs | ours | ratio (rounds) |")
    print("| --- | --- | ---: | ---: | ---: |")
    for (kind, size), (theirs, our) in times.items():
        ratios = sorted(t / o for t, o in zip(theirs, our))
        rates = [f"{arguments.count / statistics.median(seconds):,.0f}" for seconds in (theirs, our)]
        label = {"floats": f"{DIMENSIONS} floats", "programs": "program text"}[kind]
        adds = f"batches of {BATCH}" if size == "batch" else "single"
        print(f"| {label} | {adds} | {rates[0]} | {rates[1]} | {statistics.median(ratios):,.1f} ({ratios[0]:,.1f} - {ratios[-1]:,.1f}) |")


if __name__ == "__main__":
    main()
