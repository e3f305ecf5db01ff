# expect: time
class A:
    def __eq__(self, other):
        while True:
            pass
def make_walker():
    return A() in [1, 2, A()]
