# expect: unsupported|exception / crashed|recursion|memory|time
def f(n):
    return f(n + 1) + 1
def make_walker():
    try:
        1 / 0
    except ZeroDivisionError as e:
        names = e.__traceback__.tb_frame.f_back.f_globals
    names["sys"].setrecursionlimit(10**9)
    return f(0)
