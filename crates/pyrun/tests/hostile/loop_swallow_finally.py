# expect: time
def make_walker():
    while True:
        try:
            1 / 0
        finally:
            continue
