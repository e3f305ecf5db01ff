# expect: unsupported / time
def make_walker():
    exec("while True: pass")
