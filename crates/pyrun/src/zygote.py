# The second tier inside CPython: loads what programs may import, then forks one child a program. The child gives up
# everything but memory and one pipe, runs the program, and writes its result. This process never runs program text.
#
# Frames on both pipes: little-endian u32 length and the bytes. An answer to a program: u64 microseconds of CPU time,
# then byte 0 and a value, or byte 1 and a failure as JSON.
import ast, ctypes, gc, json, math, os, random, resource, select, signal, struct, sys, time, types


def read_exactly(fd, n):
    parts = []
    while n:
        part = os.read(fd, min(n, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def read_frame():
    return read_exactly(0, struct.unpack("<I", read_exactly(0, 4))[0])


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_frame(data):
    write_all(1, struct.pack("<I", len(data)) + data)


def failure(value):
    return b"\x01" + json.dumps(value).encode("utf-8", "replace")


class Refused(Exception):
    """The result is no plain data; the argument is the failure."""


def bad(why):
    return Refused({"BadResult": {"why": why}})


def encode(root, limit, max_depth, pack=struct.pack):
    out = bytearray(b"\x00")
    limit += 1

    def put(x, depth):
        if depth > max_depth:
            raise bad("nested too deeply")
        if len(out) > limit:
            raise Refused("OutputTooLarge")
        kind = type(x)
        if kind is float:
            if x - x != 0.0:
                raise bad("a float that is not finite")
            out.extend(pack("<cd", b"d", x))
        elif kind is int:
            if not -(2**63) <= x < 2**63:
                raise bad("an integer outside 64 bits")
            out.extend(pack("<cq", b"i", x))
        elif kind is str:
            if len(x) > limit:
                raise Refused("OutputTooLarge")
            try:
                data = x.encode()
            except UnicodeEncodeError:
                raise bad("text that is not Unicode") from None
            out.extend(pack("<cI", b"s", len(data)))
            out.extend(data)
        elif x is None:
            out.extend(b"N")
        elif kind is bool:
            out.extend(b"T" if x else b"F")
        elif kind is list or kind is tuple:
            if len(x) > limit:
                raise Refused("OutputTooLarge")
            out.extend(pack("<cI", b"l" if kind is list else b"t", len(x)))
            for item in x:
                put(item, depth + 1)
        elif kind is dict:
            if len(x) > limit:
                raise Refused("OutputTooLarge")
            out.extend(pack("<cI", b"m", len(x)))
            for key, item in x.items():
                put(key, depth + 1)
                put(item, depth + 1)
        else:
            raise bad("a value of type " + type_name(x))

    put(root, 0)
    if len(out) > limit:
        raise Refused("OutputTooLarge")
    return bytes(out)


def type_name(x):
    name = type.__dict__["__name__"].__get__(type(x))
    return str.__str__(name)[:100]


def entry_name(tree, rule):
    functions, bound = [], set()

    def collect(body):
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                functions.append(node)
                bound.add(node.name)
            elif isinstance(node, ast.Assign):
                bound.update(t.id for t in node.targets if isinstance(t, ast.Name))
            elif isinstance(node, (ast.If, ast.For, ast.While, ast.With, ast.Try)):
                for part in ("body", "orelse", "finalbody"):
                    collect(getattr(node, part, []))
                for handler in getattr(node, "handlers", []):
                    collect(handler.body)

    collect(tree.body)
    if rule["exact"] in bound:
        return rule["exact"]
    for f in reversed(functions):
        a = f.args
        positional = len(a.posonlyargs) + len(a.args)
        needs_none = positional == len(a.defaults) and None not in a.kw_defaults
        if isinstance(f, ast.FunctionDef) and needs_none and f.name.startswith(tuple(rule["prefixes"])):
            return f.name
    return None


class Sink:
    """Standard output of a program: nowhere."""

    encoding = "utf-8"

    def write(self, text):
        return len(text)

    def flush(self):
        pass


def explain(e):
    """The failure that an exception of the program stands for."""
    if isinstance(e, RecursionError):
        return "Recursion"
    if isinstance(e, MemoryError):
        return "Memory"
    try:
        message = str(e)
        message = str.__str__(message)
        message = message if len(message) <= 200 else message[:200] + "\u2026"
    except Exception:
        message = "(its text raises an exception)"
    if isinstance(e, ImportError) and message.startswith(refusal):
        return {"Forbidden": {"what": "import of " + message[len(refusal) :]}}
    if isinstance(e, PermissionError):
        return {"Forbidden": {"what": message}}
    line, tb = 0, e.__traceback__
    while tb is not None:
        if tb.tb_frame.f_code.co_filename == "<program>":
            line = tb.tb_lineno or 0
        tb = tb.tb_next
    return {"Exception": {"kind": type_name(e), "message": message, "line": line}}


def syntax(e):
    line = e.lineno if type(e.lineno) is int and e.lineno > 0 else 0
    return {"Syntax": {"line": line, "message": str(e.msg)[:200]}}


def run(text):
    """Runs a program in the child and returns the answer."""
    try:
        source = text.decode()
        tree = ast.parse(source, "<program>")
        code = compile(source, "<program>", "exec", dont_inherit=True)
    except UnicodeDecodeError:
        return failure({"Syntax": {"line": 0, "message": "the program is not UTF-8"}})
    except SyntaxError as e:
        return failure(syntax(e))
    except ValueError as e:
        return failure({"Syntax": {"line": 0, "message": str(e)[:200]}})
    except MemoryError:
        return failure("Recursion")
    except RecursionError:
        return failure("Recursion")
    name = entry_name(tree, setup["host"]["entry"])
    if name is None:
        return failure("NoEntry")
    random.seed(source)
    if numpy is not None:
        numpy.random.seed(random.getrandbits(32))
        random.seed(source)
    try:
        exec(code, namespace)
        result = namespace[name]()
        return encode(result, limits["output_bytes"], setup["max_depth"])
    except Refused as e:
        return failure(e.args[0])
    except BaseException as e:
        return failure(explain(e))


class Filter(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME = 2, 1


def end_at(cpu):
    """Has the system end this process with SIGALRM when its CPU clock shows `cpu` seconds.

    Not ITIMER_PROF, which adds up whole ticks like RLIMIT_CPU.
    """
    timer = ctypes.c_void_p()
    nanos = round(cpu * 1e9)
    when = (ctypes.c_long * 4)(0, 0, nanos // 10**9, nanos % 10**9)
    # without a description of the signal it is SIGALRM
    if libc.timer_create(CLOCK_PROCESS_CPUTIME_ID, None, ctypes.byref(timer)) != 0:
        os._exit(3)
    if libc.timer_settime(timer, TIMER_ABSTIME, when, None) != 0:
        os._exit(3)


PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 1, 22, 38, 2


def child(answer, text):
    """Closes the cage, runs, answers. Whatever goes wrong before the cage is closed ends the process."""
    os.dup2(answer, 1)
    os.close(0)
    os.closerange(2, 256)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != zygote:
        os._exit(3)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # only for a timer that fails: it adds up whole ticks, so on a busy machine it may be far ahead of the clock
    seconds = math.ceil(2 * cpu) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    end_at(cpu)
    sys.setrecursionlimit(limits["recursion"] + 20)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        os._exit(3)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        os._exit(3)
    __builtins__.__import__ = guarded_import
    result = run(text)
    write_all(1, struct.pack("<I", len(result)) + result)
    os._exit(0)


def serve(text):
    """Runs a program in a child of its own and returns its answer."""
    mine, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            child(its, text)
        finally:
            os._exit(3)
    os.close(its)
    parts, size, late = [], 0, False
    until = time.monotonic() + setup["wall"]
    poll = select.poll()
    poll.register(mine, select.POLLIN)
    while True:
        left = until - time.monotonic()
        if left <= 0 or size > limits["output_bytes"] + (1 << 16):
            late = left <= 0
            os.kill(pid, signal.SIGKILL)
            break
        if poll.poll(left * 1000):
            part = os.read(mine, 1 << 20)
            if not part:
                break
            parts.append(part)
            size += len(part)
    os.close(mine)
    _, status, usage = os.wait4(pid, 0)
    used = int((usage.ru_utime + usage.ru_stime) * 1e6)
    answer = b"".join(parts)
    complete = len(answer) > 4 and struct.unpack_from("<I", answer)[0] == len(answer) - 4
    if late:
        answer = failure("Time")
    elif complete:
        answer = answer[4:]
    elif os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGALRM, signal.SIGXCPU):
        answer = failure("Time")
    elif os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and used >= cpu * 1e6:
        answer = failure("Time")
    elif os.WIFSIGNALED(status):
        answer = failure({"Crashed": {"how": "signal %d" % os.WTERMSIG(status)}})
    else:
        answer = failure({"Crashed": {"how": "exit status %d" % os.WEXITSTATUS(status)}})
    write_frame(struct.pack("<Q", used) + answer)


def importer(original, allowed):
    def guarded(name, globals=None, locals=None, fromlist=(), level=0):
        if globals is not None and globals.get("__name__") == "__main__":
            top = name.split(".")[0] if level == 0 else "a package"
            if top not in allowed:
                raise ImportError(refusal + top)
        return original(name, globals, locals, fromlist, level)

    return guarded


def prepare_modules():
    """Loads what programs may import; the host's stand-ins for what is not installed. Returns numpy, if it is."""
    # numpy loads these parts late, which a child cannot
    for name in setup["allowed"] + ["collections.abc", "numpy.random", "numpy.linalg", "numpy.fft"]:
        try:
            __import__(name)
        except Exception:
            pass
    exec(compile(setup["host"]["prelude"], "<prelude>", "exec", dont_inherit=True), namespace)
    for name, target in setup["host"]["modules"]:
        stand_in = namespace[target]
        real = sys.modules.get(name)
        if real is None:
            real = sys.modules[name] = types.ModuleType(name)
            real.__dict__.update({k: v for k, v in vars(stand_in).items() if not k.startswith("_")})
        else:
            # `np`, if the prelude has it, is the real one too
            for alias in [k for k, v in namespace.items() if v is stand_in and k != target]:
                namespace[alias] = real
    real = sys.modules.get("numpy")
    return real if hasattr(real, "ndarray") else None


setup = json.loads(read_frame())
limits = setup["limits"]
refusal = setup["refusal"]
cpu = limits["cpu"]["secs"] + limits["cpu"]["nanos"] * 1e-9
bpf = bytes.fromhex(sys.argv[1])
code = ctypes.create_string_buffer(bpf, len(bpf))
program = Filter(len(bpf) // 8, ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
zygote = os.getpid()
sys.path[:] = [p for p in sys.path if p]
namespace = {"__name__": "__main__", "__builtins__": __builtins__}
try:
    numpy = prepare_modules()
except BaseException as e:
    write_frame(failure({"Exception": {"kind": type_name(e), "message": str(e)[:200], "line": 0}}))
    os._exit(0)
sys.stdin, sys.stdout, sys.stderr = None, Sink(), Sink()
sys.argv = [""]
guarded_import = importer(__import__, set(setup["allowed"]) | {n for n, _ in setup["host"]["modules"]})
with open("/proc/self/statm") as statm:
    memory = int(statm.read().split()[0]) * resource.getpagesize() + limits["memory_bytes"]
gc.collect()
gc.freeze()
write_frame(b"")
while True:
    serve(read_frame())
