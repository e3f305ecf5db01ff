# expect: recursion
class A:
    def __repr__(self):
        return repr(self)
def make_walker():
    return repr(A())
