# expect: unsupported|exception / forbidden|exception
def make_walker():
    try:
        1 / 0
    except ZeroDivisionError as e:
        frame = e.__traceback__.tb_frame
    while frame.f_back is not None:
        frame = frame.f_back
    frame.f_globals["os"].unlink("CANARY")
