# expect: unsupported / bad-result
def make_walker():
    def g():
        yield 1
    return g()
