#!/usr/bin/env python3
"""Compare the speed of samara's trainer with PyTorch's: the same model, batch and threads.

    pip install torch safetensors numpy
    python3 benches/train/compare.py [--models 135m 6m 25m] [--kinds trees flat] [--rounds 5] [--compile] [--json FILE]

Run with the python that has torch. All are in memory and one works at a time, in turns; the medians of the updates are printed.
First both begin from the same weights and must come to the same losses.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Layers, hidden and intermediate size, query heads, key heads, a head's width, tokens known; the adapters' rank, 0 where all learns.
MODELS = {
    "135m": ((30, 576, 1536, 9, 3, 64, 49152), 16),
    "25m": ((12, 384, 1024, 6, 2, 64, 8192), 0),
    "6m": ((8, 256, 768, 4, 2, 64, 2048), 0),
}
# Trees, tokens of a program, changes, tokens of a change.
KINDS = {"trees": (3, 500, 4, 60), "flat": (4, 512, 0, 0)}
THREADS = 2
# What others may take of the processor while an update is timed.
QUIET = 0.05
TICK = os.sysconf("SC_CLK_TCK")


def build():
    command = ["cargo", "build", "--release", "-p", "lm", "--example", "train_speed", "--message-format=json"]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit("train_speed was not built; see above")
    lines = map(json.loads, result.stdout.splitlines())
    return next(line["executable"] for line in lines if line.get("executable") and line["target"]["name"] == "train_speed")


def busy():
    """Seconds that all cores have worked so far, for whomever."""
    fields = open("/proc/stat").readline().split()[1:9]
    return (sum(map(int, fields)) - int(fields[3]) - int(fields[4])) / TICK


class Contender:
    """A process that does an update when it reads a line."""

    def __init__(self, command):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [str(x) for x in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )
        self.about = self.read()
        self.updates, self.memory = [], 0

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            sys.exit(f"{self.process.args[0]} ended:\n{self.errors.read()}")
        return json.loads(line)

    def worked(self):
        """Seconds that its threads have worked so far."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def update(self):
        """One update; returns its seconds and the share of the processor that others took meanwhile."""
        before, own, began = busy(), self.worked(), time.perf_counter()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.read()
        wall = time.perf_counter() - began
        others = busy() - before - (self.worked() - own)
        self.memory = line["memory"]
        return line["seconds"], max(0.0, others / (wall * os.cpu_count())), line["loss"]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def ours(binary, model, kind, *more):
    shape, rank = MODELS[model]
    numbers = lambda values: "x".join(map(str, values))
    command = [binary, "--shape", numbers(shape), "--batch", numbers(KINDS[kind]), "--threads", THREADS, "--wait", "yes"]
    return Contender([*command, "--updates", 1_000_000, *(["--lora", rank] if rank else []), *more])


def pytorch(model, kind, compiled=False, begin=None):
    shape, rank = MODELS[model]
    settings = {"threads": THREADS, "shape": shape, "batch": KINDS[kind], "lora": rank, "compile": compiled, "begin": begin}
    return Contender([sys.executable, HERE / "pytorch.py", json.dumps(settings)])


def agree(binary, model, kind):
    """Fails where the two do not compute the same. Three losses of full training, through clipping and AdamW; of adapters the
    first: PyTorch adds their part to numbers rounded to bf16, where the first changes of B are lost, and we do not."""
    with tempfile.TemporaryDirectory() as folder:
        begin = f"{folder}/begin.safetensors"
        both = [ours(binary, model, kind, "--save", begin)]
        both.append(pytorch(model, kind, begin=begin))
        losses = [[one.update()[2] for _ in range(1 if MODELS[model][1] else 3)] for one in both]
        for one in both:
            one.end()
    off = max(abs(a - b) / b for a, b in zip(*losses))
    print(f"{model} {kind}: losses {losses[0]}, PyTorch's {losses[1]}", file=sys.stderr)
    if off > 2e-3:
        sys.exit(f"{model} {kind}: the two do not compute the same: {losses}")


def wait(patience):
    """Waits until others leave the processor alone, for so many seconds at most."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        before = busy()
        time.sleep(0.5)
        if busy() - before < QUIET * 0.5 * os.cpu_count():
            return


def peak(binary, patience):
    """Operations a second of products in registers, bf16 where there are, and whether others took of it."""
    best, disturbed = 0.0, True
    wait(patience)
    for _ in range(5):
        before, own, began = busy(), children(), time.perf_counter()
        for kind in "bf16", "f32":
            command = [binary, "--threads", THREADS, "--peak", kind]
            found = json.loads(subprocess.check_output([str(x) for x in command]))["peak"]
            if found:
                break
        wall = time.perf_counter() - began
        others = (busy() - before - (children() - own)) / (wall * os.cpu_count())
        best = max(best, found or 0.0)
        disturbed &= others > QUIET
    return best, disturbed


def children():
    """Seconds that processes which have ended have worked."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def operations(model, kind):
    """Floating-point operations that an update needs; what is computed twice counts once."""
    (layers, hidden, inner, heads, keys, head, vocabulary), rank = MODELS[model]
    trees, program, changes, change = KINDS[kind]
    tokens = program + changes * change
    shapes = [(hidden, heads * head)] * 2 + [(hidden, keys * head)] * 2 + [(hidden, inner)] * 3
    matrices = layers * sum(a * b for a, b in shapes)
    adapters = layers * sum(rank * (a + b) for a, b in shapes)
    each = 4 if rank else 6  # a frozen matrix has no gradient
    seen = lambda n: n * (n + 1) // 2
    pairs = seen(program) + changes * (change * program + seen(change))
    predicted = changes * change or program - 1
    linear = tokens * (each * matrices + 6 * adapters) + predicted * each * hidden * vocabulary
    return trees * (linear + 12 * layers * heads * head * pairs)


def row(binary, model, kind, arguments):
    contenders = {"ours": ours(binary, model, kind), "eager": pytorch(model, kind)}
    if arguments.compile:
        contenders["compiled"] = pytorch(model, kind, compiled=True)
    for one in contenders.values():
        one.update()
        one.update()
    rounds, dropped, disturbed = [], 0, False
    while len(rounds) < arguments.rounds:
        if not disturbed:
            wait(arguments.patience)
        times = {name: one.update() for name, one in contenders.items()}
        others = max(share for _, share, _ in times.values())
        if others > QUIET and not disturbed:
            dropped += 1
            # It does not become quiet: what there is must do, and is marked.
            disturbed = dropped >= 3 * arguments.rounds
            print(f"{model} {kind}: others took {others:.0%} of the processor: a round dropped", file=sys.stderr)
            continue
        rounds.append({name: seconds for name, (seconds, _, _) in times.items()})
        print(f"{model} {kind}: {rounds[-1]}, others {others:.0%}", file=sys.stderr)
    median = {name: statistics.median(r[name] for r in rounds) for name in contenders}
    theirs = min((name for name in contenders if name != "ours"), key=median.get)
    ratios = sorted(r[theirs] / r["ours"] for r in rounds)
    for one in contenders.values():
        one.end()
    trees, program, changes, change = KINDS[kind]
    return {
        "model": model,
        "batch": kind,
        "examples": trees * max(1, changes),
        "tokens": trees * (program + changes * change),
        "operations": operations(model, kind),
        "seconds": median,
        "pytorch": theirs,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "memory": {name: one.memory for name, one in contenders.items()},
        "idle": {name: one.about["memory"] for name, one in contenders.items() if name != "ours"},
        "trained": contenders["ours"].about["trained"],
        "arithmetic": contenders["ours"].about["arithmetic"],
        "torch": contenders["eager"].about["version"],
        "dropped": dropped,
        "disturbed": disturbed,
    }


def line(row, peak):
    a, b = row["seconds"]["ours"], row["seconds"][row["pytorch"]]
    mega = lambda value: f"{value / 1e6:,.0f}"
    share = lambda seconds: f"{row['operations'] / seconds / peak:.0%}" if peak else ""
    cells = [
        row["model"] + ("*" if row["disturbed"] else ""),
        row["batch"],
        f"{row['examples'] / a:,.2f}",
        f"{row['examples'] / b:,.2f}",
        f"{row['ratio']:.2f} ({row['ratios'][0]:.2f} - {row['ratios'][-1]:.2f})",
        f"{row['tokens'] / a:,.0f}",
        f"{row['tokens'] / b:,.0f}",
        mega(row["memory"]["ours"]),
        f"{mega(row['memory'][row['pytorch']])} ({mega(row['idle'][row['pytorch']])})",
        share(a),
        share(b),
    ]
    return f"| {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=5, help="updates of each that count")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for a quiet machine before a round")
    parser.add_argument("--compile", action="store_true", help="let a PyTorch with torch.compile run too, and take the faster")
    parser.add_argument("--binary", help="train_speed; else it is built")
    parser.add_argument("--json", help="a file for all figures")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds: give at least 1")
    binary = arguments.binary or build()
    most, unsure = peak(binary, arguments.patience)
    rows = []
    for model in arguments.models:
        for kind in arguments.kinds:
            agree(binary, model, kind)
            rows.append(row(binary, model, kind, arguments))
    first = rows[0]
    print(f"PyTorch {first['torch']}, ours {first['arithmetic']}, {THREADS} threads, peak {most / 1e9:.0f} GFLOP/s{'*' * unsure}\n")
    print("| model | batch | examples/s | PyTorch | times | tokens/s | PyTorch | MB | PyTorch (libraries) | of peak | PyTorch |")
    print("| --- | --- |" + " ---: |" * 9)
    for one in rows:
        print(line(one, most))
    if unsure or any(one["disturbed"] for one in rows):
        print("\n\\* others used the processor meanwhile: these figures say little, least of all about PyTorch")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"peak": most, "peak_disturbed": unsure, "threads": THREADS, "rows": rows}, indent=1) + "\n")


main()
