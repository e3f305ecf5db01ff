# expect: bad-result|exception|syntax
def make_walker():
    return chr(0xD800)
