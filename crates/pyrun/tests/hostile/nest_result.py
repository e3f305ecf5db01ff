# expect: bad-result
def make_walker():
    a = []
    for i in range(100000):
        a = [a]
    return a
