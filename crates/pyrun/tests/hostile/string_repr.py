# expect: memory|time
def make_walker():
    a = ["x" * 1000000]
    for i in range(20):
        a = [a, a]
    return len(repr(a))
