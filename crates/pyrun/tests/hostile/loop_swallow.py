# expect: time
def make_walker():
    while True:
        try:
            raise ValueError("again")
        except Exception:
            continue
