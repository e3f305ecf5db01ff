# expect: forbidden
def make_walker():
    return open("/proc/self/mem", "rb").read(1)
