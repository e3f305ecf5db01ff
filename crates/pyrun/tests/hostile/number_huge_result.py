# expect: bad-result
def make_walker():
    return 10**30
