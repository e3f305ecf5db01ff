# expect: time
def make_walker():
    while True:
        pass
