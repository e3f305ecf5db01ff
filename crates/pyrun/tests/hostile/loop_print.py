# expect: time
def make_walker():
    while True:
        print("x" * 1000)
