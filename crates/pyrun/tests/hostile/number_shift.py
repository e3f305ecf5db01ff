# expect: memory|exception
def make_walker():
    return 1 << 10**12
