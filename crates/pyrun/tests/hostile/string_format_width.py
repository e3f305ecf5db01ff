# expect: memory|exception
def make_walker():
    return len(f"{1:>{10**11}}")
