# expect: memory|time
def make_walker():
    return len(("x" * 100000).join(["y" * 10000] * 10000000))
