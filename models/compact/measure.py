"""What the model in the box is worth, beside gp at equal evaluations.

    cargo build --release
    python3 models/compact/measure.py programs [--evaluations 1500]     # programs that it never saw, and benches/learning/seeds
    python3 models/compact/measure.py seeds [--evaluations 5000] [--rngs 3]     # the four seeds of the paper

Prints tables in Markdown. SAMARA may name another binary, --model another model.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile

import seeds

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SAMARA = os.environ.get("SAMARA", str(ROOT / "target/release/samara"))
HELD_OUT = [3, 6, 9, 12, 18, 33, 1002, 1005, 1008, 1011, 1014, 1017, 1020, 10002, 10005, 11001, 11004]


class Shares:
    """Of a run: valid, runnable and accepted in per cent, niches and QD score."""

    def __init__(self, run):
        lines = [line.split() for line in samara("stats", run).splitlines()]
        first = {line[0]: line for line in reversed(lines) if line}
        operator = next(line for name, line in first.items() if name in ("gp", "diff") and len(line) == 5 and "%" in line[2])
        self.valid, self.runnable, self.accepted = (float(share.rstrip("%")) for share in operator[2:])
        self.niches, self.score = int(first["niches"][1]), float(first["QD"][2])

    def row(self):
        return f"{self.valid:.1f} | {self.runnable:.1f} | {self.accepted:.1f} | {self.niches} | {self.score:,.0f} |"


def samara(*args):
    done = subprocess.run([SAMARA, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, pathlib.Path(folder)
        self.config = self.folder / "measure.toml"
        self.config.write_text("pictures = false\n")

    def run(self, seed, operator, rng):
        out = self.folder / f"{pathlib.Path(seed).stem}-{operator}-{rng}"
        model = ["--model", self.args.model] if self.args.model and operator == "diff" else []
        words = ["--seed", seed, "--operator", operator, "--evaluations", self.args.evaluations, "--rng", rng, "--out", out]
        samara("evolve", "--config", self.config, *words, *model)
        return Shares(out)

    def programs(self):
        print("| program | | valid | runnable | accepted | niches | QD score |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |")
        held, hand = [], sorted((ROOT / "benches/learning/seeds").glob("*.py"))
        for number in HELD_OUT:
            file = self.folder / f"held-out-{number}.py"
            file.write_text(seeds.program(number))
            held.append(self.pair(f"held out, {number}", file))
        for file in hand:
            self.pair(file.stem, file)
        mean = lambda values: sum(values) / len(values)
        print(f"\nOf the {len(held)} held out: valid {mean([c.valid for c, _ in held]):.1f} %, runnable {mean([c.runnable for c, _ in held]):.1f} %"
              f" (gp {mean([g.runnable for _, g in held]):.1f}), accepted {mean([c.accepted for c, _ in held]):.1f} % (gp {mean([g.accepted for _, g in held]):.1f});"
              f" QD score above gp's on {sum(c.score > g.score for c, g in held)}, mean of the quotients {mean([c.score / g.score for c, g in held]):.2f}")

    def pair(self, name, seed):
        compact, gp = (self.run(seed, operator, 1) for operator in ("diff", "gp"))
        print(f"| {name} | compact | {compact.row()}\n| | gp | {gp.row()}", flush=True)
        return compact, gp

    def seeds(self):
        print("| seed | | niches | QD score | times gp's |\n| --- | --- | ---: | ---: | ---: |")
        for seed in ("square", "radial", "cppn-fixed", "cppn-mutable"):
            means = {}
            for operator in ("diff", "gp"):
                runs = [self.run(seed, operator, rng) for rng in range(1, self.args.rngs + 1)]
                means[operator] = [sum(getattr(run, field) for run in runs) / len(runs) for field in ("niches", "score")]
            for operator, name in (("diff", "compact"), ("gp", "gp")):
                niches, score = means[operator]
                print(f"| {seed} | {name} | {niches:.0f} | {score:,.0f} | {score / means['gp'][1]:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("programs", "seeds"))
    parser.add_argument("--evaluations", type=int, help="default: 1500 for programs, 5000 for seeds")
    parser.add_argument("--rngs", type=int, default=3, help="seeds: runs of each")
    parser.add_argument("--model", help="another model than the one in the box")
    args = parser.parse_args()
    args.evaluations = args.evaluations or {"programs": 1500, "seeds": 5000}[args.what]
    with tempfile.TemporaryDirectory() as folder:
        getattr(Bench(args, folder), args.what)()


if __name__ == "__main__":
    main()
