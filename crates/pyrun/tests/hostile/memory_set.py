# expect: memory|time
def make_walker():
    s = set()
    n = 0
    while True:
        s.add((n, n))
        n += 1
