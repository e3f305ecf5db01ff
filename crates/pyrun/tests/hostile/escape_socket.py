# expect: unsupported|exception / forbidden|exception
def make_walker():
    try:
        1 / 0
    except ZeroDivisionError as e:
        frame = e.__traceback__.tb_frame.f_back
    modules = frame.f_globals["sys"].modules
    frame.f_globals["libc"].socket(2, 1, 0)
    import _socket
