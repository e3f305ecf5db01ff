# expect: time
def make_walker():
    return sum(range(10**13))
