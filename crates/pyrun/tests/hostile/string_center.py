# expect: memory|exception
def make_walker():
    return "x".center(10**12)
