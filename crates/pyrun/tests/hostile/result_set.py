# expect: bad-result
def make_walker():
    return {1, 2}
