# expect: memory|time
def make_walker():
    a = []
    while True:
        a.append("x" * 100000)
