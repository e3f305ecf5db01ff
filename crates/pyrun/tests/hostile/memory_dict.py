# expect: memory|time
def make_walker():
    d = {}
    n = 0
    while True:
        d[n] = [n, n + 1, n + 2, n + 3]
        n += 1
