# expect: time
while True:
    pass
def make_walker():
    return 1
