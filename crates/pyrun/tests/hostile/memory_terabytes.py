# expect: unsupported|exception|forbidden / memory|exception
def make_walker():
    return len(bytearray(1 << 45)) + len([0] * (1 << 40))
