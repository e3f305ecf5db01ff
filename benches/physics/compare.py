#!/usr/bin/env python3
"""Speed of our physics beside Box2D 2.3, on the same walkers, one core each.

Needs `pip install box2d` and a release build of the example `physics_bench`
(this script builds it). Both are run in turn, round after round, and measured
in time on the core, so that what else the machine does disturbs little; the
ratios are medians over the rounds.

Box2D is driven from Python, as a program of the domain would: a loop that sets
the muscles' rest lengths and calls `Step`. Python's own share is measured by
the same loop over a world without bodies, and taken off for "core". Building
Box2D's world is not counted; everything we do is.

    python3 benches/physics/compare.py [--rounds 5] [--terrain flat]
"""

import argparse
import json
import math
import pathlib
import random
import re
import statistics
import subprocess
import tempfile
import time

from Box2D import b2World

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "crates/sodarace/tests/data/box2d.json"
SCALE, RADIUS, STEPS, DT = 6.8, 1.948, 600, 1 / 60


def sets():
    """Name -> walkers."""
    walks = json.loads(DATA.read_text())["walkers"]
    named = {w["name"]: w for w in walks if w["terrain"] == "flat"}
    cppn, chance = named["cppn-fixed"], random.Random(1)

    def child():
        gone = chance.sample(range(len(cppn["muscles"])), chance.randint(1, 5))
        kept = [m for i, m in enumerate(cppn["muscles"]) if i not in gone]
        return {"joints": cppn["joints"], "muscles": kept}

    return {
        "square seed, 64 alike": [named["square"]] * 64,
        "CPPN seed, 64 alike": [cppn] * 64,
        "CPPN children, 64 different": [child() for _ in range(64)],
        "random, 80 different": [w for n, w in named.items() if n.startswith("random")],
    }


def paper_form(walker):
    """The walker creator's form of a walker."""

    def kind(m):
        if m["rigid"]:
            return {"type": "distance"}
        return {"type": "muscle", "amplitude": m["amplitude"], "phase": m["phase"]}

    muscles = [[m["a"], m["b"], kind(m)] for m in walker["muscles"]]
    return {"joints": walker["joints"], "muscles": muscles}


def build(walker, terrain):
    """A Box2D world with its masses, and (joint, length, swing, phase) of each muscle."""
    world = b2World(gravity=(0, -25), doSleep=False)
    world.continuousPhysics = False
    start = terrain["start"]
    lift = 0.0 if start == "on-ground" else start["above"]
    body = world.CreateStaticBody()
    for line in terrain["ground"], terrain["ceiling"]:
        for vertices in zip(line, line[1:]):
            body.CreateEdgeFixture(vertices=vertices, friction=1.0, restitution=0.0)
    xs, ys = zip(*walker["joints"])
    centre, bottom = (min(xs) + max(xs)) / 2, min(ys)
    masses = []
    for x, y in walker["joints"]:
        at = (x - centre) * SCALE, (y - bottom) * SCALE + RADIUS + lift
        mass = world.CreateDynamicBody(
            position=at, fixedRotation=True, linearDamping=1.1, allowSleep=False
        )
        mass.CreateCircleFixture(
            radius=RADIUS, density=25.0, friction=1.0, restitution=0.1, groupIndex=-1
        )
        masses.append(mass)
    muscles = []
    for m in walker["muscles"]:
        a, b = masses[m["a"]], masses[m["b"]]
        soft = {} if m["rigid"] else {"frequencyHz": 3.0, "dampingRatio": 0.3}
        joint = world.CreateDistanceJoint(
            bodyA=a, bodyB=b, anchorA=a.position, anchorB=b.position, **soft
        )
        if not m["rigid"]:
            swing = 0.3 * m["amplitude"] * joint.length
            muscles.append((joint, joint.length, swing, 2 * math.pi * m["phase"]))
    return world, masses, muscles


def loop(world, muscles):
    """Seconds on the core of one walk's loop, the muscles set by Python."""
    start = time.process_time()
    for step in range(STEPS):
        angle = 3 * (step * DT)
        for joint, length, swing, phase in muscles:
            joint.length = length + swing * math.cos(angle + phase)
        world.Step(DT, 10, 10)
    return time.process_time() - start


def box2d(walkers, terrain):
    """Milliseconds a walk: all of it, and without Python's share."""
    alike = all(w is walkers[0] for w in walkers)
    total = python = 0.0
    some = walkers[:5] if alike else walkers
    for walker in some:
        world, _, muscles = build(walker, terrain)
        total += loop(world, muscles)
        python += loop(b2World(), muscles)
    return 1e3 * total / len(some), 1e3 * (total - python) / len(some)


def ours(binary, path, terrain):
    """Milliseconds a walk."""
    out = subprocess.run(
        [binary, path, terrain, "3"], check=True, capture_output=True, text=True
    )
    return float(re.search(r"([\d.]+) ms a walk", out.stdout).group(1))


def example(name):
    """Path of an example of the crate `sodarace`, built."""
    command = ["cargo", "build", "--release", "-p", "sodarace", "--example", name]
    messages = subprocess.run(
        [*command, "--message-format", "json"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    built = [json.loads(line) for line in messages.stdout.splitlines()]
    return next(m["executable"] for m in built if m.get("executable"))


def walk(walkers, terrain):
    """Our terrain and how far our walkers come on it."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump([paper_form(w) for w in walkers], file)
        file.flush()
        command = [example("walk"), file.name, str(terrain), str(STEPS)]
        out = subprocess.run(command, check=True, capture_output=True, text=True)
    answer = json.loads(out.stdout)
    return answer["terrain"], answer["distances"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--terrain", choices=["flat", "bumpy"], default="flat")
    arguments = arguments.parse_args()

    binary = example("physics_bench")
    terrain, _ = walk([], arguments.terrain)
    print(f"{arguments.terrain} ground, 10 s walks, median of {arguments.rounds} rounds\n")
    print("| walkers | ours, ms | Box2D from Python, ms | times | Box2D's core, ms | times |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, walkers in sets().items():
        rounds = []
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump([paper_form(w) for w in walkers], file)
            file.flush()
            for _ in range(arguments.rounds):
                total, core = box2d(walkers, terrain)
                mine = ours(binary, file.name, arguments.terrain)
                rounds.append((mine, total, total / mine, core, core / mine))
        mine, total, faster, core, faster_core = map(statistics.median, zip(*rounds))
        print(
            f"| {name} | {mine:.3f} | {total:.2f} | {faster:.0f} | {core:.2f} | {faster_core:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
