# expect: recursion|exception
def make_walker():
    return make_walker()
