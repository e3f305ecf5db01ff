#!/usr/bin/env python3
"""Our walks beside Box2D's on terrains that the recorded reference does not reach.

Random walkers on bumpy ground, between near walls, in a low tunnel and over
steps; each is walked by Box2D (PyPI package `box2d`) and by us, and once more
by Box2D from 1e-6 beside, to tell how chaotic the walk is.

    python3 benches/physics/agree.py [--walkers 40]
"""

import argparse
import json
import math
import random
import tempfile

from compare import DT, STEPS, build, walk

NEAR_WALLS = {
    "name": "near-walls",
    "ground": [[-900, 900], [-40, 900], [-40, 0], [40, 0], [40, 900], [900, 900]],
}
STEPS_UP = {
    "name": "steps",
    "ground": [[-900, 0], [-12, 0], [-12, 3], [8, 3], [8, -2], [25, -2], [25, 4], [900, 9]],
    "start": {"above": 4.0},
}
LOW = {
    "name": "low-tunnel",
    "ground": [[-900, 0], [900, 0]],
    "ceiling": [[-900, 55], [-3, 50], [900, 60]],
}


def walker(chance):
    """A random connected walker of 4 to 12 joints, at most 7 units wide and high."""
    joints = []
    while len(joints) < chance.randint(4, 12):
        p = [round(chance.uniform(0, 7), 3), round(chance.uniform(0, 7), 3)]
        if all(math.dist(p, q) > 0.2 for q in joints):
            joints.append(p)
    pairs = {(chance.randrange(i), i) for i in range(1, len(joints))}
    for _ in range(2 * len(joints)):
        a, b = sorted(chance.sample(range(len(joints)), 2))
        pairs.add((a, b))
    muscles = [
        {
            "a": a,
            "b": b,
            "rigid": chance.random() < 0.4,
            "amplitude": chance.uniform(-1, 1),
            "phase": chance.uniform(-1, 1),
        }
        for a, b in sorted(pairs)
    ]
    return {"joints": joints, "muscles": muscles}


def box2d(walker, terrain, beside=0.0):
    """How far Box2D's walker comes."""
    world, masses, muscles = build(walker, terrain)
    for mass in masses:
        mass.position = mass.position.x + beside, mass.position.y

    def centre():
        return sum(mass.position.x for mass in masses) / len(masses)

    start = centre()
    for step in range(STEPS):
        for joint, length, swing, phase in muscles:
            joint.length = length + swing * math.cos(3 * (step * DT) + phase)
        world.Step(DT, 10, 10)
    return abs(centre() - start)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--walkers", type=int, default=40)
    count = arguments.parse_args().walkers
    chance = random.Random(4)
    print("| terrain | within 0.001 | within 0.1 | Box2D itself, from 1e-6 beside |")
    print("| --- | ---: | ---: | ---: |")
    for terrain in "bumpy", NEAR_WALLS, STEPS_UP, LOW:
        walkers = [walker(chance) for _ in range(count)]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            if isinstance(terrain, dict):
                json.dump(terrain, file)
                file.flush()
                terrain = file.name
            terrain, ours = walk(walkers, terrain)
        theirs = [box2d(w, terrain) for w in walkers]
        beside = [box2d(w, terrain, 1e-6) for w in walkers]

        def within(tolerance, some):
            return sum(abs(a - b) <= tolerance for a, b in zip(some, theirs))

        print(
            f"| {terrain['name']} | {within(1e-3, ours)} of {count} | {within(0.1, ours)} "
            f"| {within(0.1, beside)} within 0.1 |",
            flush=True,
        )


if __name__ == "__main__":
    main()
