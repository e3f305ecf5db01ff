# expect: unsupported / memory
def make_walker():
    return len(bytearray(10**11))
