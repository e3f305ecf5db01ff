# expect: forbidden
import urllib.request
def make_walker():
    return urllib.request.urlopen("http://localhost")
