# expect: unsupported / bad-result
class S(str):
    pass
def make_walker():
    return {S("joints"): []}
