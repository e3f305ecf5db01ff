# expect: unsupported|bad-result / bad-result
def make_walker():
    return type("x" * 1000000, (), {})()
