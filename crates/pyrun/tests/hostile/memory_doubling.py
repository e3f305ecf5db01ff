# expect: memory|time
def make_walker():
    a = [1]
    while True:
        a = a + a
