# expect: recursion|exception
def make_walker():
    a = []
    b = []
    for i in range(100000):
        a = [a]
        b = [b]
    if a == b:
        raise ValueError("equal")
    raise ValueError("different")
