"""Writes crates/qd/tests/data/pyribs.json: what pyribs 0.12 makes of a stream of solutions.

    pip install 'ribs==0.12.*' && python3 benches/archive/golden.py

The stream has what archives may disagree on: equal fitness, measures on bin edges, measures outside the ranges.
"""

import json
from pathlib import Path

import numpy as np
import ribs
from ribs.archives import GridArchive

AXES = [("height", 0.0, 30.0, 6), ("width", -1.0, 1.0, 5), ("mass", 0.1, 0.9, 4)]
COUNT, BATCH = 500, 64


def stream(rng):
    lows, highs, bins = (np.array([axis[i] for axis in AXES]) for i in (1, 2, 3))
    spread = highs - lows
    measures = rng.uniform(lows - 0.2 * spread, highs + 0.2 * spread, (COUNT, len(AXES)))
    on_edge = rng.random((COUNT, len(AXES))) < 0.25
    edges = lows + spread * rng.integers(-1, bins + 2, measures.shape) / bins
    measures = np.where(on_edge, edges, measures)
    fitness = np.round(rng.normal(0.0, 2.0, COUNT), 1)
    return measures, fitness


def archive():
    return GridArchive(
        solution_dim=1,
        dims=[axis[3] for axis in AXES],
        ranges=[axis[1:3] for axis in AXES],
    )


def champions(filled):
    data = filled.data()
    rows = zip(data["index"], data["solution"][:, 0], data["objective"])
    return sorted([int(niche), int(solution), float(fitness)] for niche, solution, fitness in rows)


def main():
    measures, fitness = stream(np.random.default_rng(20150420))
    numbers = np.arange(COUNT, dtype=float)[:, None]
    single, batched = archive(), archive()
    # pyribs: 0 not added, 1 improved a niche, 2 found a new one.
    statuses = [int(single.add_single(n, f, m)["status"]) for n, f, m in zip(numbers, fitness, measures)]
    for i in range(0, COUNT, BATCH):
        part = slice(i, i + BATCH)
        batched.add(numbers[part], fitness[part], measures[part])
    assert champions(single) == champions(batched)

    stats = single.stats
    golden = {
        "made_by": f"benches/archive/golden.py with pyribs {ribs.__version__}",
        "axes": [dict(zip(("name", "low", "high", "bins"), axis)) for axis in AXES],
        "measures": measures.tolist(),
        "fitness": fitness.tolist(),
        "niches": single.index_of(measures).tolist(),
        "statuses": statuses,
        "champions": champions(single),
        "coverage": float(stats.coverage),
        "qd_score": float(stats.qd_score),
        "max_fitness": float(stats.obj_max),
    }
    path = Path(__file__).parents[2] / "crates/qd/tests/data/pyribs.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in golden.items()) + "\n}\n")
    print(f"{path}: {len(golden['champions'])} of {single.cells} niches, QD score {golden['qd_score']:.3f}")


if __name__ == "__main__":
    main()
