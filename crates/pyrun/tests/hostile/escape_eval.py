# expect: unsupported / forbidden
def make_walker():
    return eval("__import__('os').listdir('/')")
