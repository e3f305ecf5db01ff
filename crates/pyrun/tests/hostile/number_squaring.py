# expect: memory|time
def make_walker():
    n = 3
    while True:
        n = n * n
