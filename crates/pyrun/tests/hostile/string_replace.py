# expect: memory|time
def make_walker():
    s = "a" * 10000
    while True:
        s = s.replace("a", "aa")
