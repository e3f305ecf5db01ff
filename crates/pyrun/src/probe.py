# Tells what the second tier must know of an interpreter, whichever it is, however old, and whatever it prints at its start:
# lines that begin with "pyrun:", a key, and a value in hexadecimal.
import sys

sys.path = [p for p in sys.path if p]
import binascii, os


def tell(key, value=""):
    if not isinstance(value, bytes):
        value = getattr(os, "fsencode", str)(value)
    os.write(1, ("\npyrun:%s %s\n" % (key, binascii.hexlify(value).decode("ascii"))).encode("ascii"))


def usable():
    for name in ("ctypes", "resource", "select"):
        try:
            __import__(name)
        except BaseException:
            tell("missing", name)
    tell("executable", os.path.abspath(sys.executable) if sys.executable else "")
    # what the zygote's environment must have as well: it has nothing else
    for name in ("LD_LIBRARY_PATH", "PYTHONHOME"):
        if os.environ.get(name):
            tell("environment", name + "=" + os.environ[name])
    for folder in sys.path:
        tell("path", os.path.abspath(folder))
    for folder in (sys.prefix, sys.base_prefix, sys.exec_prefix):
        tell("folder", folder)
    try:
        with open("/proc/self/maps") as maps:
            files = [line.rstrip("\n").partition("/")[2] for line in maps]
        for folder in sorted({os.path.dirname("/" + name) for name in files if name}):
            tell("folder", folder)
    except OSError:
        pass
    try:
        import importlib.metadata

        tell("numpy", importlib.metadata.version("numpy"))
    except BaseException:
        pass


tell("name", getattr(getattr(sys, "implementation", None), "name", "cpython"))
tell("version", ".".join(map(str, sys.version_info[:3])))
tell("platform", sys.platform)
if sys.version_info >= (3, 9):
    usable()
tell("end")
sys.stdout = sys.stderr = None
os._exit(0)
