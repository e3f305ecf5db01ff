# expect: memory|time
def make_walker():
    a = []
    while True:
        a = [a, a, a]
        b = [list(range(1000)) for _ in range(1000)]
        a.append(b)
