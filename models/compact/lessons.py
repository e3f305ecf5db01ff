"""Changes that operators make to the programs of seeds.py, as lessons for `samara train operator`.

    cargo build --release
    python3 models/compact/lessons.py FOLDER [--first 0] [--count 1200] [--operator gp]... [--model MODEL] [--evaluations 1000] [--jobs 2]

Writes FOLDER/lessons.jsonl. Every third program is held out: `python3 models/compact/seeds.py` writes it, nothing here reads it.
A program that is no walker is left out. What is there is not made again, so that an interrupted command goes on.
"""

import argparse
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys

import seeds

HERE = pathlib.Path(__file__).resolve().parent
SAMARA = HERE.parent.parent / "target/release/samara"


def is_held_out(number):
    return number % 3 == 0


def samara(*args):
    return subprocess.run([SAMARA, *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def changes(folder, number, operators, evaluations):
    """The lessons of one program, in a file; none where samara refuses the program."""
    name = f"{number:06}"
    done = folder / f"{name}.jsonl"
    if done.exists():
        return done
    seed, run, export = folder / f"{name}.py", folder / f"{name}.run", folder / f"{name}.export"
    shutil.rmtree(run, ignore_errors=True)
    seed.write_text(seeds.program(number))
    config = folder / "lessons.toml"
    made = samara("evolve", "--config", config, "--seed", seed, *operators, "--evaluations", evaluations, "--threads", 1, "--out", run)
    if "the seed program" in made.stderr:
        done.touch()
        return done
    for step in (made, samara("export", run, "--lessons", "-o", export)):
        if step.returncode:
            sys.exit(step.stderr)
    (export / "lessons.jsonl").rename(done)
    shutil.rmtree(run)
    shutil.rmtree(export)
    return done


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--first", type=int, default=0, help="the first number of seeds.py")
    parser.add_argument("--count", type=int, default=1200)
    parser.add_argument("--operator", action="append", help="as `samara evolve` takes it: gp, diff=2, ...")
    parser.add_argument("--model", help="the model of diff, if not the one in the box")
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    if not SAMARA.exists():
        sys.exit(f"{SAMARA} is missing: build it with `cargo build --release`")
    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "lessons.toml").write_text("pictures = false\n[diff]\nmax_tokens = 224\n")
    operators = [word for operator in args.operator or ["gp"] for word in ("--operator", operator)]
    operators += ["--model", args.model] if args.model else []
    numbers = [number for number in range(args.first, args.first + args.count) if not is_held_out(number)]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        files = list(pool.map(lambda number: changes(args.folder, number, operators, args.evaluations), numbers))
    whole = args.folder / "lessons.jsonl.part"
    lessons = refused = 0
    with whole.open("w") as out:
        for file in files:
            lines = file.read_text().splitlines(keepends=True)
            lessons, refused = lessons + len(lines), refused + (not lines)
            out.writelines(lines)
    whole.rename(args.folder / "lessons.jsonl")
    print(f"{lessons} lessons of {len(files) - refused} programs; {refused} are no walkers")


if __name__ == "__main__":
    main()
