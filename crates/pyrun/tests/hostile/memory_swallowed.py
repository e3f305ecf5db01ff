# expect: memory|time
def make_walker():
    a = []
    while True:
        try:
            a.append([0] * 1000000)
        except:
            pass
