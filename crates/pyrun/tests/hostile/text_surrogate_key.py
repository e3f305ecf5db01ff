# expect: unsupported|exception|bad-result|ok / bad-result|exception
def make_walker():
    return {"\ud800": 1}
