"""Lessons that can be learned by copying alone: the first course of a model that is to learn edits.

    python3 models/compact/copies.py FILE.jsonl [--count 40000]

Each lesson is a text of a few lines, made of words of no language and numbers, and the same text with one word or number of one
line changed. The line removed stands right before the line added, and all but one of its words can be taken from there. The
lessons have the least that `samara train operator` reads, a parent and a child; they are of one niche, so give it `--per-niche 100000`.
"""

import argparse
import json
import pathlib
import random
import re

import writer


def line(r, names):
    def word():
        return r.choice(names)

    def number():
        return str(round(r.uniform(0, 9), r.choice([0, 1, 2])))

    kind = r.random()
    if kind < 0.3:
        return f"{word()} = {word()} {r.choice('+-*')} {number()}"
    if kind < 0.6:
        return f"{word()}.{word()}({word()}, {number()}, {word()})"
    if kind < 0.8:
        return f"{word()} = {word()}({number()}, {word()}[{word()}])"
    return f"{word()}[{word()}] = {word()} + {word()} * {number()}"


def changed(r, text, names):
    """The line with one word or number replaced."""
    parts = re.findall(r"\w+(?:\.\d+)?|\W+", text)
    place = r.choice([at for at, part in enumerate(parts) if part[0].isalnum()])
    is_number = parts[place][0].isdigit()
    parts[place] = str(round(r.uniform(0, 9), 1)) if is_number else r.choice(names)
    return "".join(parts)


def lesson(number):
    """None where the change made nothing new."""
    r = random.Random(f"copy {number}")
    names = [writer.invented(r) for _ in range(r.randrange(5, 16))]
    lines = [line(r, names) for _ in range(r.randrange(4, 12))]
    place = r.randrange(len(lines))
    new = changed(r, lines[place], names)
    if new in lines:
        return None
    after = [*lines[:place], new, *lines[place + 1 :]]
    return {"parent": "\n".join(lines) + "\n", "child": "\n".join(after) + "\n"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=40000)
    args = parser.parse_args()
    with args.file.open("w") as out:
        for number in range(args.count):
            if made := lesson(number):
                out.write(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
