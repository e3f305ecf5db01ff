"""Walker programs of many shapes and styles, for a model to learn edits from.

    python3 models/compact/seeds.py FOLDER [--count 1000] [--first 0]    # FOLDER/seed-000000.py and so on

Program number N is the same wherever it is made. In each second thousand of the numbers, from 1000 on, a program follows a plan as people
do (plans.py: ladders, limbs, tables by name, grids, recursion ...); in the others it places groups of joints and joins them (groups.py). Every
program is written in a style of its own: names, numbers, constants or literals, helper functions or none, loops or lists, comments,
blank lines, the order of its parts. Names are drawn anew for each, and in two of five programs some or most are words of no
language, so that a model which learns to change the programs can only copy from the one that it reads. The last function, whose name
begins with make, gives the walker. Some programs are no walkers: the domain says which.
"""

import argparse
import pathlib

from groups import Groups
from plans import Plans


def program(number):
    writer = Plans if number // 1000 % 2 else Groups
    return writer(number).write()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for number in range(args.first, args.first + args.count):
        (args.folder / f"seed-{number:06}.py").write_text(program(number))


if __name__ == "__main__":
    main()
