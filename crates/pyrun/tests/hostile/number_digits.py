# expect: time|exception|memory
def make_walker():
    n = 3 ** 5000000
    return len(str(n)) + len(str(n * n))
