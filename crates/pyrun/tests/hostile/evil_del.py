# expect: unsupported / bad-result|time
class A:
    def __del__(self):
        while True:
            pass
def make_walker():
    a = A()
    a = None
    return a
