# expect: memory|exception|time
def make_walker():
    return "{:.{p}f}".format(1.0, p=10**11)
