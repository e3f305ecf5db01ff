# expect: unsupported|exception|recursion / recursion|crashed|memory|exception
def make_walker():
    x = ()
    for i in range(200000):
        x = (x,)
    return hash(x)
