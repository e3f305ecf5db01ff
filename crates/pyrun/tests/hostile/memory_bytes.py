# expect: memory
def make_walker():
    return len(bytes(10**11))
