# expect: time
class Forever:
    def __iter__(self):
        return self
    def __next__(self):
        return 1
def make_walker():
    for x in Forever():
        pass
