#!/usr/bin/env python3
"""Where the time of an inventor's training goes, and how fast models write.

    python3 benches/inventor/shares.py shares INVENTOR.metrics...      # of trainings that were made: seconds of an iteration by part, tokens a second
    python3 benches/inventor/shares.py writing DATASET [--presets 1m,6m] [--batches 64,256,1024]

`shares` reads the metrics that `samara train inventor` keeps beside an inventor; *trying* is running the programs and letting their walkers walk.

`writing` trains a model of each size for a moment (what it writes does not matter, how long it takes does), and has it write --programs programs of at most --max-tokens tokens,
held to nothing, so many side by side (`model.batch`).

SAMARA may name another binary.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SAMARA = os.environ.get("SAMARA", str(HERE.parent.parent / "target/release/samara")).split()
PARTS = ("writing", "trying", "learning")


def samara(*args):
    """Runs samara; its last line, which is JSON."""
    done = subprocess.run([*SAMARA, *map(str, args)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def shares(args):
    print("| inventor | iterations | tokens of a program | seconds an iteration | writing | trying | learning | tokens/s written | tokens/s learned | bound by |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for folder in args.folders:
        name = folder.name.removesuffix(".metrics")
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        # A stretch that was killed may have written an iteration twice.
        rows = list({row["update"]: row for row in rows}.values())
        card = folder.parent / name / "card.json"
        if not rows or not card.exists():
            raise SystemExit(f"{folder}: no training that was finished; give the .metrics beside an inventor")
        programs = json.loads(card.read_text())["settings"]["samples"]
        seconds = {part: sum(row[f"seconds/{part}"] for row in rows) for part in PARTS}
        tokens = programs * sum(row["tokens"] for row in rows)
        whole = sum(seconds.values())
        cells = [f"{100 * seconds[part] / whole:.0f} %" for part in PARTS]
        cells += [f"{tokens / seconds[part]:,.0f}" for part in ("writing", "learning")]
        bound = max(PARTS, key=seconds.get)
        print(f"| {name} | {len(rows)} | {tokens / programs / len(rows):.0f} | {whole / len(rows):.1f} | {' | '.join(cells)} | {bound} |")


def writing(args):
    print("| model | side by side | programs | tokens | tokens/s |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for preset in args.presets.split(","):
            model = folder / preset
            samara("train", "domain", args.dataset, "-o", model, "--preset", preset, "--tokens", 20_000, "--trial", 0)
            for batch in args.batches.split(","):
                config = folder / f"{batch}.toml"
                config.write_text(f"pictures = false\n[model]\nbatch = {batch}\ncache_mb = 4096\n")
                run = folder / f"{preset}-{batch}"
                made = ("-n", args.programs, "--free", "--max-tokens", args.max_tokens, "--config", config)
                samara("sample", model, "-o", run, *made)
                spent = samara("stats", run, "--json")["operators"]["sample"]
                tokens, seconds = spent["tokens"], spent["propose_seconds"]
                print(f"| {preset} | {batch} | {args.programs:,} | {tokens:,} | {tokens / seconds:,.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_subparsers(dest="what", required=True)
    of = what.add_parser("shares")
    of.add_argument("folders", nargs="+", type=pathlib.Path, metavar="INVENTOR.metrics")
    of = what.add_parser("writing")
    of.add_argument("dataset", type=pathlib.Path)
    of.add_argument("--presets", default="1m,6m")
    of.add_argument("--batches", default="64,256,1024")
    of.add_argument("--programs", type=int, default=1024)
    of.add_argument("--max-tokens", type=int, default=128)
    args = parser.parse_args()
    {"shares": shares, "writing": writing}[args.what](args)


if __name__ == "__main__":
    main()
