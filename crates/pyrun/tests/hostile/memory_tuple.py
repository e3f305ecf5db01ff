# expect: memory
def make_walker():
    return ((1, 2, 3),) * 10**12
