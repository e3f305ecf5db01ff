# expect: unsupported / bad-result|exception
class M(type):
    def __instancecheck__(self, other):
        return True
    @property
    def __class__(self):
        return dict
class A(metaclass=M):
    pass
def make_walker():
    return A()
