# expect: time
def make_walker():
    a = list(range(100000))
    while True:
        a.sort(key=lambda x: -x)
        a.sort(key=lambda x: x * 7 % 1000)
