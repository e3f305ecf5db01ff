# expect: bad-result
def make_walker():
    return b"abc"
