# expect: unsupported / bad-result
class I(int):
    pass
def make_walker():
    return I(3)
