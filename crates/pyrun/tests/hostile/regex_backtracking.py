# expect: time
import re
def make_walker():
    return [bool(re.match("(a+)+(b|c)*$", "a" * 60 + "!")) for _ in range(10**9)]
