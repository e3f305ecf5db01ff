# expect: unsupported / forbidden
def make_walker():
    return __import__("os").listdir("/")
