# expect: unsupported / bad-result|exception|crashed
def make_walker():
    builtins = globals()["__builtins__"]
    builtins.type = lambda x: int
    builtins.len = lambda x: 1 / 0
    builtins.isinstance = lambda a, b: True
    return object()
