# expect: bad-result
class A:
    pass
def make_walker():
    return A()
