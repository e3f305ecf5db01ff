# expect: time|recursion
def f():
    try:
        f()
    except:
        f()
def make_walker():
    f()
