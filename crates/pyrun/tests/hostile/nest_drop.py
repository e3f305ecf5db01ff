# expect: bad-result|recursion|exception|time|memory
def make_walker():
    a = None
    for i in range(1000000):
        a = (a, i)
    a = None
    raise ValueError("done")
