# expect: forbidden
import socket
def make_walker():
    return socket.create_connection(("127.0.0.1", 1))
