# expect: memory
def make_walker():
    return "ab" * 10**12
