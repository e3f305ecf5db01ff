# expect: unsupported|exception / bad-result|exception
def make_walker():
    try:
        1 / 0
    except ZeroDivisionError as e:
        names = e.__traceback__.tb_frame.f_back.f_globals
    names["encode"] = lambda *args: b"\x00garbage"
    return 1
