# expect: recursion|crashed|exception|bad-result|time
def make_walker():
    a = []
    for i in range(100000):
        a = [a]
    return len(repr(a)) if len(repr(a)) < 1000 else None.x
