# expect: memory|time
def make_walker():
    fs = []
    while True:
        fs.append(lambda x=[0] * 1000: x)
