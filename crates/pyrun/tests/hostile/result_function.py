# expect: bad-result
def make_walker():
    return make_walker
