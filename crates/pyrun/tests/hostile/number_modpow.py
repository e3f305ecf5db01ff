# expect: time|bad-result|exception
def make_walker():
    m = 10 ** 100000 + 7
    while True:
        pow(3, m, m)
