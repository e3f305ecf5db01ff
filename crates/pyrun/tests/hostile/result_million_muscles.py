# expect: output-too-large / output-too-large|time
def make_walker():
    return {"joints": [(0, 0), (1, 0), (0, 1)], "muscles": [[0, 1, {"type": "distance"}]] * 1000000}
