#!/usr/bin/env python3
"""Operators that learned, beside gp, on seed programs that no paper has (benches/learning/seeds).

    python3 benches/learning/compare.py operator [SEED...]      # a minute of gp, minutes of training, 1,500 evaluations each
    python3 benches/learning/compare.py inside [SEED...]        # runs with --self-improve beside gp alone
    python3 benches/learning/compare.py mixtures [SEED...]      # gp, the model in the box, and both, by evaluations and by the clock
    python3 benches/learning/compare.py box [SEED...]           # the model in the box beside gp on programs that it never saw

`operator`: gp makes a run of 100,000 evaluations of each seed (default: ladder, spider, caterpillar), `samara train operator` learns from it,
and both evolve the seed 1,500 times under the same numbers of --rng; the figures are means.

`inside`: of each seed (default: all five) gp alone and gp beside an operator that learns make the same number of evaluations. Then gp alone
goes on until it has the same QD score. From both follows how long an evaluation must take for the learning run to be there
sooner: (seconds of learning and writing - seconds of gp) / (evaluations that gp needs more).

`mixtures`: each seed (default: the paper's four) is evolved by gp alone, by the model in the box alone and by both at several weights: 5,000
evaluations each (means of --rngs runs), and as many as two minutes allow (--clock 0: not measured).

`box`: programs of models/compact/seeds.py that are held out of its lessons, and all five of benches/learning/seeds, are evolved 1,500 times each.

Runs are kept in --folder; what is there is not made again. SAMARA may name another binary.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
COMPACT = HERE.parent.parent / "models/compact"
SAMARA = os.environ.get("SAMARA", str(HERE.parent.parent / "target/release/samara")).split()


def samara(*args):
    """Runs samara; its last line, which is JSON."""
    done = subprocess.run([*SAMARA, *map(str, args)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def mean(numbers):
    numbers = list(numbers)
    return sum(numbers) / len(numbers)


class Bench:
    def __init__(self, args):
        self.args, self.folder = args, args.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "bench.toml"
        self.config.write_text("pictures = false\n")

    def evolve(self, name, seed, *args, seconds=None):
        """The statistics of a run, which is made unless it is there; with `seconds` it is interrupted after so long."""
        run, part = self.folder / name, self.folder / f"{name}.part"
        if not run.exists():
            shutil.rmtree(part, ignore_errors=True)
            own = HERE / f"seeds/{seed}.py"
            command = ["evolve", "--config", self.config, "--seed", own if own.exists() else seed, "--out", part, *args]
            if seconds is None:
                samara(*command)
            else:
                running = subprocess.Popen([*SAMARA, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(seconds)
                running.send_signal(signal.SIGINT)
                running.wait()
            part.rename(run)
        return samara("stats", run, "--json")

    def curve(self, name):
        """(evaluations, QD score, niches) after each iteration."""
        db = sqlite3.connect(self.folder / name / "run.sqlite")
        return db.execute("SELECT evaluations, qd_score, niches FROM iteration ORDER BY iteration").fetchall()

    def operator(self, seeds):
        print("| seed | gp, s | training, s | held-out loss | operator | valid | runnable | accepted | niches | QD score |")
        print("| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
        for seed in seeds:
            teacher = self.evolve(f"{seed}-teacher", seed, "--operator", "gp", "--evaluations", self.args.lessons)
            model = self.folder / f"{seed}-operator"
            if not (model / "card.json").exists():
                samara("train", "operator", self.folder / f"{seed}-teacher", "-o", model, *self.args.train.split())
            card = json.loads((model / "card.json").read_text())
            loss = card["held_out_loss"]["after"]
            for operator in ("diff", "gp"):
                more = ["--model", model] if operator == "diff" else []
                more += ["--operator", operator, "--evaluations", self.args.evaluations or 1500]
                runs = [self.evolve(f"{seed}-{operator}-{rng}", seed, *more, "--rng", rng) for rng in range(self.args.rngs or 3)]
                first = f"{seed} | {teacher['seconds']:.0f} | {card['seconds']:.0f} | {loss:.3f} | learned"
                self.row(first if operator == "diff" else f"{seed} | | | | gp", runs, operator)

    def row(self, first, runs, operator):
        def share(kind):
            return mean(100 * run["operators"][operator][kind] / run["operators"][operator]["proposed"] for run in runs)

        shares = " | ".join(f"{share(kind):.1f}" for kind in ("valid", "runnable", "accepted"))
        niches, qd = mean(run["niches"] for run in runs), mean(run["qd_score"] for run in runs)
        print(f"| {first} | {shares} | {niches:.0f} | {qd:,.0f} |", flush=True)

    def inside(self, seeds):
        evaluations = self.args.evaluations or 20_000
        print("| seed | operators | niches | QD score | seconds | of these learning | gp alone has this QD score after | learning wins by the clock from |")
        print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for seed in seeds:
            pairs = [self.pair(seed, rng, evaluations) for rng in range(self.args.rngs or 1)]

            def told(kind, digits=0):
                values = [pair[kind] for pair in pairs]
                each = f" ({', '.join(f'{value:,.{digits}f}' for value in values)})" if len(values) > 1 else ""
                return f"{mean(values):,.{digits}f}{each}"

            print(f"| {seed} | gp alone | {told('niches')} | {told('qd')} | {mean(p['seconds'] for p in pairs):.0f} | | | |")
            # Where gp alone did not get there, it is beaten from that cost on at the latest.
            is_there = all(pair["is_there"] for pair in pairs)
            there, extra = mean(pair["there"] for pair in pairs), mean(pair["extra"] for pair in pairs)
            after = f"{'' if is_there else 'more than '}{there:,.0f}"
            wins = "never"
            if there > evaluations:
                wins = f"{'' if is_there else 'at most '}{1000 * extra / (there - evaluations):.0f} ms an evaluation"
            own = f"| {seed} | gp and learned | {told('own_niches')} | {told('own_qd')} | {mean(p['own_seconds'] for p in pairs):.0f}"
            print(f"{own} | {mean(p['learning'] for p in pairs):.0f} | {after} | {wins} |", flush=True)

    def pair(self, seed, rng, evaluations):
        """gp alone, and gp beside an operator that learns, of one number of --rng; gp alone goes on until it is as good, or ten times as long."""
        more = ["--operator", "gp", "--evaluations", evaluations, "--rng", rng]
        if self.args.seconds:
            more += ["--seconds", self.args.seconds]
        name = f"{seed}-alone-{rng}"
        alone = self.evolve(name, seed, *more)
        curve = self.curve(name)
        own = self.evolve(f"{seed}-inside-{rng}", seed, *more, "--self-improve", self.args.learn)
        # A copy goes on: a longer run has other iterations, of which none may end after as many evaluations.
        longer, target = f"{name}-longer", 2 * evaluations
        while curve[-1][1] < own["qd_score"] and target <= 10 * evaluations:
            if not (self.folder / longer).exists():
                shutil.copytree(self.folder / name, self.folder / longer)
            samara("resume", self.folder / longer, "--evaluations", target)
            curve, target = self.curve(longer), target + evaluations
        there = next((point[0] for point in curve if point[1] >= own["qd_score"]), None)
        is_there = there is not None
        learning = sum(round["seconds"] for round in own["rounds"])
        return {
            "niches": alone["niches"],
            "qd": alone["qd_score"],
            "seconds": alone["seconds"],
            "own_niches": own["niches"],
            "own_qd": own["qd_score"],
            "own_seconds": own["seconds"],
            "learning": learning,
            "is_there": is_there,
            "there": there if is_there else curve[-1][0],
            # What is not evaluation: proposing and learning.
            "extra": learning + sum(operator["propose_seconds"] for operator in own["operators"].values()),
        }

    def mixtures(self, seeds):
        clock = f" {self.args.clock:g} seconds: evaluations | niches | QD score |" if self.args.clock else ""
        print(f"| seed | operators | 5,000 evaluations: niches | QD score |{clock}")
        print("| --- | --- | ---: | ---: |" + " ---: | ---: | ---: |" * bool(clock))
        for seed in seeds:
            for name, weights in MIXTURES.items():
                operators = [word for weight in weights for word in ("--operator", weight)]
                rngs = range(self.args.rngs or 1)
                equal = [self.evolve(f"{seed}-{name}-{rng}", seed, "--evaluations", 5000, "--rng", rng, *operators) for rng in rngs]
                niches, qd = mean(run["niches"] for run in equal), mean(run["qd_score"] for run in equal)
                row = f"| {seed} | {name} | {niches:.0f} | {qd:,.0f} |"
                if clock:
                    timed = self.evolve(f"{seed}-{name}-clock", seed, "--evaluations", 100_000_000, *operators, seconds=self.args.clock)
                    row += f" {timed['evaluations']:,} | {timed['niches']} | {timed['qd_score']:,.0f} |"
                print(row, flush=True)

    def box(self, seeds):
        sys.path.insert(0, str(COMPACT))
        from seeds import program

        print("| program | | valid | runnable | accepted | niches | QD score |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |")
        pairs = []
        for number in HELD_OUT:
            file = self.folder / f"held-out-{number}.py"
            file.write_text(program(number))
            pairs.append(self.beside_gp(f"held out, {number}", file))
        for seed in seeds:
            self.beside_gp(seed, seed)
        quotients = [box["qd_score"] / gp["qd_score"] for box, gp in pairs]
        above = sum(quotient > 1 for quotient in quotients)
        print(f"\nOf the {len(pairs)} held out: QD score above gp's on {above}, {mean(quotients):.2f} times gp's on average.")
        self.row("all held out | compact", [box for box, _ in pairs], "diff")
        self.row("| gp", [gp for _, gp in pairs], "gp")

    def beside_gp(self, name, seed):
        runs = []
        for operator, first in (("diff", f"{name} | compact"), ("gp", "| gp")):
            more = ["--operator", operator, "--evaluations", self.args.evaluations or 1500, "--rng", 1]
            runs.append(self.evolve(f"box-{pathlib.Path(seed).stem}-{operator}", seed, *more))
            self.row(first, runs[-1:], operator)
        return runs


# Programs of models/compact/seeds.py that its lessons leave out: those that 3 divides.
HELD_OUT = [3, 6, 9, 12, 18, 33, 1002, 1005, 1008, 1011, 1014, 1017, 1020, 10002, 10005, 11001, 11004]

# Shares in per cent.
MIXTURES = {
    "gp": ["gp"],
    "diff": ["diff"],
    "gp 50, diff 50": ["gp=50", "diff=50"],
    "gp 90, diff 10": ["gp=90", "diff=10"],
    "gp 98, diff 2": ["gp=98", "diff=2"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("operator", "inside", "mixtures", "box"))
    parser.add_argument("seeds", nargs="*")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("/tmp/samara-learning"))
    parser.add_argument("--lessons", type=int, default=100_000, help="operator: evaluations of gp to learn from")
    parser.add_argument("--evaluations", type=int, help="default: 1500 for operator and box, 20000 for inside")
    parser.add_argument("--rngs", type=int, help="runs of each; default: 3 for operator, 1 for inside and mixtures")
    parser.add_argument("--train", default="", help="operator: more words for `samara train operator`")
    parser.add_argument("--learn", default="every=5000", help="inside: what --self-improve is told")
    parser.add_argument("--seconds", type=float, help="inside: simulated seconds of a walk")
    parser.add_argument("--clock", type=float, default=120, help="mixtures: seconds of each timed run; 0 for none")
    args = parser.parse_args()
    every = ["ladder", "spider", "caterpillar"] + (["tower", "bridge"] if args.what in ("inside", "box") else [])
    if args.what == "mixtures":
        every = ["square", "radial", "cppn-fixed", "cppn-mutable"]
    getattr(Bench(args), args.what)(args.seeds or every)


if __name__ == "__main__":
    main()
