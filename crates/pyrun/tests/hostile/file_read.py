# expect: forbidden
def make_walker():
    return open("/etc/passwd").read()
