# expect: unsupported|exception|forbidden / exception|crashed|bad-result
def make_walker():
    code = make_walker.__code__
    kind = type(code)
    return kind(0, 0, 0, 0, 10**6, 0, b"\x53\x00" * 4, (), (), (), "f", "f", 1, b"")
