# expect: memory
def make_walker():
    s = "abc"
    while True:
        s += s
