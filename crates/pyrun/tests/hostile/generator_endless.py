# expect: unsupported / time
def numbers():
    n = 0
    while True:
        yield n
        n += 1
def make_walker():
    return sum(numbers())
