# expect: unsupported|exception / exception
def make_walker():
    try:
        1 / 0
    except ZeroDivisionError as e:
        frame = e.__traceback__.tb_frame.f_back
    frame.f_globals["ctypes"].string_at(0)
