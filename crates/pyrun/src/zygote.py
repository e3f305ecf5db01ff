# The second tier inside CPython: loads what programs may import, then forks one child a program. The child gives up
# everything but memory and one pipe, runs the program, and writes its result. This process never runs program text.
#
# Arguments: the filter of system calls in hexadecimal, then the folders that modules may come from beside Python's own.
# Frames on both pipes: little-endian u32 length and the bytes. An answer to a program: u64 microseconds of CPU time,
# then byte 0 and a value, or byte 1 and a failure as JSON.
import sys

sys.path[:] = [p for p in sys.path if p]
import ast, builtins, errno, gc, json, math, opcode, os, random, resource, select, signal, site, struct, time, types


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


def plain(text):
    """Text as it may be told: at most 200 characters, and what is no Unicode (a lone surrogate) as Python writes it."""
    text = str.__str__(text)
    text = text if len(text) <= 200 else text[:200] + "\u2026"
    return text.encode("utf-8", "backslashreplace").decode()


def failure(value):
    return b"\x01" + json.dumps(value).encode()


def crashed(how):
    return failure({"Crashed": {"how": how}})


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
    return plain(type.__dict__["__name__"].__get__(type(x)))


STORE_NAME, STORE_GLOBAL = opcode.opmap["STORE_NAME"], opcode.opmap["STORE_GLOBAL"]


def binds(code, name, stores=(STORE_NAME, STORE_GLOBAL)):
    """Whether a module's code binds a name at module level, whatever binds it: read from what Python compiled."""
    if name in code.co_names:
        argument = 0
        for op, low in zip(code.co_code[::2], code.co_code[1::2]):
            argument = argument << 8 | low
            if op == opcode.EXTENDED_ARG:
                continue
            if op in stores and code.co_names[argument] == name:
                return True
            argument = 0
    return any(binds(c, name, (STORE_GLOBAL,)) for c in code.co_consts if isinstance(c, types.CodeType))


def functions_of(body):
    """The functions defined at module level, inside `if`, `try` and the like too, in the order of the text."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
        elif not isinstance(node, ast.ClassDef):
            for part in ("body", "handlers", "cases", "orelse", "finalbody"):
                inner = getattr(node, part, [])
                if isinstance(inner, list):
                    yield from functions_of(inner)


def entry_name(tree, code, rule):
    if binds(code, rule["exact"]):
        return rule["exact"]
    for f in reversed(list(functions_of(tree.body))):
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
    """The failure that an exception of the program stands for. What the program made of its class is not asked."""
    kind = type(e)
    if issubclass(kind, RecursionError):
        return "Recursion"
    if issubclass(kind, MemoryError):
        return "Memory"
    try:
        message = plain(str(e))
    except BaseException:
        message = "(its text raises an exception)"
    if issubclass(kind, ImportError) and message.startswith(refusal):
        return {"Forbidden": {"what": "import of " + message[len(refusal) :]}}
    # the cage's own refusals have a number, those that a program raises have none
    if issubclass(kind, OSError) and OSError.errno.__get__(e) == errno.EPERM:
        return {"Forbidden": {"what": message}}
    line, tb = 0, BaseException.__traceback__.__get__(e)
    while tb is not None:
        if tb.tb_frame.f_code.co_filename == "<program>":
            line = tb.tb_lineno or 0
        tb = tb.tb_next
    return {"Exception": {"kind": type_name(e), "message": message, "line": line}}


def syntax(message, line=0):
    line = line if type(line) is int and line > 0 else 0
    return failure({"Syntax": {"line": line, "message": plain(str(message))}})


def run(text):
    """Runs a program in the child and returns the answer."""
    try:
        source = text.decode()
        tree = ast.parse(source, "<program>")
        code = compile(source, "<program>", "exec", dont_inherit=True)
    except SyntaxError as e:
        return syntax(e.msg, e.lineno)
    except ValueError as e:
        return syntax(e)
    except (MemoryError, RecursionError):
        return failure("Recursion")
    name = entry_name(tree, code, setup["host"]["entry"])
    if name is None:
        return failure("NoEntry")
    seed_from(source)
    try:
        exec(code, namespace)
        if name not in namespace:
            raise NameError("name %r is not defined" % name)
        result = namespace[name]()
        return encode(result, limits["output_bytes"], setup["max_depth"])
    except Refused as e:
        return failure(e.args[0])
    except BaseException as e:
        return failure(explain(e))


def seed_from(source):
    """Makes all chance a function of the program's text."""
    global seeds
    seeds = source
    random.seed(source)
    if numpy is not None:
        numpy.random.seed(random.getrandbits(32))
        random.seed(source)


def entropy(bits):
    """What a program gets that asks the system for a seed: of a generator of its own, made when it is asked for."""
    global seeds
    if type(seeds) is str:
        seeds = random.Random(seeds)
    return seeds.getrandbits(bits)


def tame_chance(reseed=random.Random.seed):
    """Has `random` ask `entropy` wherever it would ask the system."""

    def seed(self, a=None, version=2):
        reseed(self, entropy(64) if a is None else a, version)

    random._urandom = lambda n: entropy(8 * n).to_bytes(n, "little")
    random.Random.seed = seed
    random.seed = random._inst.seed


def lower(kind, value):
    """Sets a limit, but keeps one that is lower already."""
    now = [value if n == resource.RLIM_INFINITY else min(n, value) for n in resource.getrlimit(kind)]
    resource.setrlimit(kind, tuple(now))


CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME = 2, 1
PR_SET_PDEATHSIG, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 22, 2


def make_seal(bpf):
    """What closes the cage round a child. It needs C's functions; nothing else does, so ctypes is had by it alone."""
    import ctypes

    class Filter(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    program = Filter(len(bpf) // 8, bpf)  # which keeps `bpf` alive
    libc = ctypes.CDLL(None, use_errno=True)

    def seal():
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != zygote:
            os._exit(3)
        # The system ends this process with SIGALRM (a timer's signal when none is named) when its CPU clock shows
        # `cpu` seconds. Not ITIMER_PROF, which adds up whole ticks like RLIMIT_CPU.
        timer = ctypes.c_void_p()
        nanos = round(cpu * 1e9)
        when = (ctypes.c_long * 4)(0, 0, nanos // 10**9, nanos % 10**9)
        if libc.timer_create(CLOCK_PROCESS_CPUTIME_ID, None, ctypes.byref(timer)) != 0:
            os._exit(3)
        if libc.timer_settime(timer, TIMER_ABSTIME, when, None) != 0:
            os._exit(3)
        # the process can gain no rights since before it became Python
        refused = libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
        if refused and setup["cage"]:
            os._exit(3)

    for name in [n for n in sys.modules if n.split(".")[0] in ("ctypes", "_ctypes")]:
        sys.modules[name] = None  # an import of it fails from now on
    return seal


def child(answer, text):
    """Closes the cage, runs, answers. Whatever goes wrong before the cage is closed ends the process."""
    global seal
    os.dup2(answer, 1)
    os.close(0)
    os.closerange(2, 256)
    lower(resource.RLIMIT_AS, memory)
    # only for a timer that fails: it adds up whole ticks, so on a busy machine it may be far ahead of the clock
    lower(resource.RLIMIT_CPU, math.ceil(2 * cpu) + 1)
    sys.setrecursionlimit(limits["recursion"] + 20)
    seal()
    seal = None
    builtins.__import__ = guarded_import
    result = run(text)
    write_all(1, struct.pack("<I", len(result)) + result)
    os._exit(0)


def cpu_clock(pid):
    """What the CPU clock of a process shows, in nanoseconds."""
    return time.clock_gettime_ns((~pid << 3) | CLOCK_PROCESS_CPUTIME_ID)


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
    parts, size, ended = [], 0, None
    until = time.monotonic() + setup["wall"]
    poll = select.poll()
    poll.register(mine, select.POLLIN)
    shown, still = 0, 0
    while True:
        # each look also shows the runner that this process is alive
        if poll.poll(1000):
            part = os.read(mine, 1 << 20)
            if not part:
                break
            parts.append(part)
            size += len(part)
        else:
            # it computes or it ends: one that waits for something waits for ever
            now = cpu_clock(pid)
            shown, still = now, still + 1 if now == shown else 0
        if still >= setup["still"] or time.monotonic() > until:
            ended = "Time"
        elif size > limits["output_bytes"] + (1 << 16):
            ended = "OutputTooLarge"
        if ended:
            os.kill(pid, signal.SIGKILL)
            break
    os.close(mine)
    _, status, usage = os.wait4(pid, 0)
    used = int((usage.ru_utime + usage.ru_stime) * 1e6)
    answer = b"".join(parts)
    by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if ended:
        answer = failure(ended)
    elif len(answer) > 4 and struct.unpack_from("<I", answer)[0] == len(answer) - 4:
        answer = answer[4:]
    elif by in (signal.SIGALRM, signal.SIGXCPU) or by == signal.SIGKILL and used >= cpu * 1e6:
        answer = failure("Time")
    elif by:
        answer = crashed("signal %d" % by)
    else:
        answer = crashed("exit status %d" % os.WEXITSTATUS(status))
    write_frame(struct.pack("<Q", used) + answer)


def importer(original, allowed):
    def is_library(names):
        name = names.get("__name__")
        return type(name) is str and name != PROGRAM and getattr(sys.modules.get(name), "__dict__", None) is names

    def guarded(name, globals=None, locals=None, fromlist=(), level=0):
        # C code that needs a module asks with an empty list, which no import statement does
        if type(fromlist) is not list and not is_library(sys._getframe(1).f_globals):
            top = name.split(".")[0] if level == 0 else "a package"
            if top not in allowed:
                raise ImportError(refusal + top)
        return original(name, globals, locals, fromlist, level)

    return guarded


# What Python or numpy load only when it is needed, which a child cannot: `\N{BULLET}` and names that are not ASCII,
# long integers as text (3.12), protocols and type hints, annotations and templates (3.14), numpy's parts, and the
# encodings that a program may name. Each adds to what is copied for every child, so what is rarely asked for is left out.
LATE = (
    "unicodedata _pylong inspect warnings copyreg annotationlib string.templatelib collections.abc "
    "numpy.random numpy.linalg numpy.fft numpy.polynomial numpy.ma numpy.ma.mrecords numpy.char numpy.rec "
    "numpy.strings numpy.dtypes numpy.exceptions numpy.matlib numpy.ctypeslib numpy.typing numpy.lib.recfunctions "
    "numpy.lib.scimath numpy.lib.stride_tricks numpy.lib.format numpy.core._internal numpy._core._internal "
    "numpy.core._dtype_ctypes numpy._core._dtype numpy.core._dtype numpy.core._methods numpy._core._methods"
).split()
ENCODINGS = (
    "ascii latin_1 utf_8 utf_8_sig utf_7 utf_16 utf_16_le utf_16_be utf_32 utf_32_le utf_32_be cp1250 cp1251 cp1252 "
    "cp437 cp850 iso8859_2 iso8859_15 koi8_r mac_roman charmap idna punycode raw_unicode_escape unicode_escape "
    "hex_codec rot_13"
).split()


def try_import(name):
    try:
        __import__(name)
    except Exception:
        pass


def prepare_modules():
    """Loads what programs may import; the host's stand-ins for what is not installed. Returns numpy, if it is."""
    for name in [n for n in setup["allowed"] if n != "numpy"]:
        try_import(name)
    # Python's own modules stand before whatever else the folders hold
    sys.path.extend(p for p in sys.argv[2:] if p not in sys.path)
    for name in ["numpy"] + LATE + ["encodings." + e for e in ENCODINGS]:
        if "numpy" in sys.modules or not name.startswith("numpy."):
            try_import(name)
    tame_chance()
    random.seed("loads the hash that a seed of text needs")
    for add in (site.setquit, site.setcopyright, site.sethelper):
        add()
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
zygote = os.getpid()
seal = make_seal(bytes.fromhex(sys.argv[1]))
# a signal that the caller ignores stays ignored, and these two end a child
for number in (signal.SIGALRM, signal.SIGXCPU):
    signal.signal(number, signal.SIG_DFL)
# not "__main__": what a file does only when it is run as a script is no part of the program
PROGRAM = "program"
seeds = ""
sys.modules[PROGRAM] = types.ModuleType(PROGRAM)
namespace = vars(sys.modules[PROGRAM])
namespace["__builtins__"] = builtins
try:
    numpy = prepare_modules()
except BaseException as e:
    write_frame(failure(explain(e)))
    os._exit(0)
sys.stdin = sys.__stdin__ = None
sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = Sink()
sys.argv = [""]
guarded_import = importer(__import__, set(setup["allowed"]) | {n for n, _ in setup["host"]["modules"]})
with open("/proc/self/statm") as statm:
    memory = int(statm.read().split()[0]) * resource.getpagesize() + limits["memory_bytes"]
gc.collect()
gc.freeze()
write_frame(b"")
while True:
    serve(read_frame())
