# expect: unsupported|exception|forbidden / forbidden|exception
def make_walker():
    help("modules")
