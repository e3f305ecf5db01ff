# expect: unsupported|exception|forbidden / exception
def make_walker():
    raise ValueError("a\ud800b\udfff")
