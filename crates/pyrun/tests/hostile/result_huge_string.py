# expect: output-too-large
def make_walker():
    return "x" * 10000000
