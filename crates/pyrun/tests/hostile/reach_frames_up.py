# expect: unsupported|exception|forbidden / exception|ok|bad-result|crashed
def make_walker():
    try:
        1 / 0
    except ZeroDivisionError as e:
        frame = e.__traceback__.tb_frame
    while frame is not None:
        frame.f_globals.clear()
        frame = frame.f_back
    return 1
