# expect: memory|time
def make_walker():
    return list(range(10**12))
