# expect: bad-result
def make_walker():
    return [1e308 * 10]
