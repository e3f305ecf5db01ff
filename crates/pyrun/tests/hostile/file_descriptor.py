# expect: unsupported|forbidden|exception / forbidden|exception
def make_walker():
    f = open(0)
    return f.read()
