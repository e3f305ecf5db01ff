# What a walker program finds ready: run before the program by both interpreters, so it keeps to the Python that both
# know. `walker_creator` only records what the program asks for; the rules of the domain are applied to the record.
import math


class walker_creator:
    def __init__(self):
        self.joints = []
        self.muscles = []
        self.calls = 0

    # Checks stand inline: a call costs the first tier more than what they check.
    def add_joint(self, x, y):
        calls = self.calls + 1
        self.calls = calls
        if calls > 20000:
            _too_many_calls()
        if type(x) is not float:
            x = _number(x, "add_joint: x")
        if type(y) is not float:
            y = _number(y, "add_joint: y")
        self.joints.append((x, y))
        return len(self.joints) - 1

    def add_muscle(self, j0, j1, rigid=True, amplitude=0.0, phase=0.0):
        calls = self.calls + 1
        self.calls = calls
        if calls > 20000:
            _too_many_calls()
        count = len(self.joints)
        if type(j0) is not int:
            j0 = _whole(j0)
        if type(j1) is not int:
            j1 = _whole(j1)
        if j0 < 0 or j1 < 0 or j0 >= count or j1 >= count:
            raise ValueError("add_muscle: not a joint of this walker")
        if type(amplitude) is not float:
            amplitude = _number(amplitude, "add_muscle: amplitude")
        if type(phase) is not float:
            phase = _number(phase, "add_muscle: phase")
        if rigid:
            self.muscles.append([j0, j1, {"type": "distance"}])
        else:
            self.muscles.append([j0, j1, {"type": "muscle", "amplitude": amplitude, "phase": phase}])

    def get_walker(self):
        return {"joints": self.joints, "muscles": self.muscles}


def _too_many_calls():
    # a loop that runs away ends here, at the same call on every machine
    raise RuntimeError("more than 20000 calls of walker_creator")


def _whole(value):
    # a joint that is no plain int: of numpy, an IntEnum
    if type(value) is not bool:
        try:
            return int(value.__index__())
        except Exception:
            pass
    raise ValueError("add_muscle: not a joint of this walker")


def _number(value, what):
    kind = type(value)
    if kind is float:
        return value
    if kind is int or kind is bool:
        if abs(value) > 1000000000000:
            raise ValueError(what + " is too large")
        return float(value)
    try:
        # what else is a number: of numpy, an IntEnum, a Fraction
        value = float(value.__float__())
    except Exception:
        value = None
    if value is None:
        raise TypeError(what + " is not a number")
    return value


def query_cppn(wc, xgrid, ygrid, scale, connect_func, amp_func, phase_func):
    # Joints stand in lists beside the grid: looking up a pair takes the first tier as long as ten other steps.
    grid = {}
    columns = []
    for x in range(xgrid):
        column = []
        columns.append(column)
        for y in range(ygrid):
            joint = wc.add_joint(x * scale, y * scale)
            grid[(x, y)] = joint
            column.append(joint)
    for x1 in range(xgrid):
        for y1 in range(ygrid):
            joint = columns[x1][y1]
            for x2 in range(x1, xgrid):
                column = columns[x2]
                for y2 in range(y1, ygrid):
                    if x1 == y1 and x2 == y2:
                        continue
                    if connect_func(x1, y1, x2, y2):
                        amp = amp_func(x1, y1, x2, y2)
                        phase = phase_func(x1, y1, x2, y2)
                        wc.add_muscle(joint, column[y2], False, amp, phase)
    return grid


class _walk_creator:
    walker_creator = walker_creator
    query_cppn = query_cppn


# Scalar functions of numpy, where numpy itself is not to be had. Where the mathematics has no answer they say nan or
# infinity, as numpy does. What makes arrays needs numpy.
def _no_arrays(*values, **options):
    raise ImportError("numpy is not installed for this Python: arrays need it (pip install numpy)")


class _numpy:
    pi = math.pi
    e = math.e
    inf = math.inf
    nan = math.nan
    sin = math.sin
    cos = math.cos
    tan = math.tan
    arctan = math.atan
    arctan2 = math.atan2
    sinh = math.sinh
    cosh = math.cosh
    tanh = math.tanh
    degrees = math.degrees
    radians = math.radians
    deg2rad = math.radians
    rad2deg = math.degrees
    isnan = math.isnan
    isinf = math.isinf
    isfinite = math.isfinite
    abs = abs
    absolute = abs
    round = round
    float64 = float
    int64 = int

    def sign(x):
        if type(x) is bool:
            raise TypeError("numpy has no sign of a truth value")
        if x > 0:
            return x * 0 + 1
        if x < 0:
            return x * 0 - 1
        return x * 0

    def sqrt(x):
        if type(x) is bool:
            raise TypeError("numpy's root of a truth value has another type")
        return math.sqrt(x) if x >= 0 else math.nan

    def hypot(x, y):
        return math.sqrt(x * x + y * y)

    def exp(x):
        return math.exp(x) if x < 709 else math.inf

    def log(x):
        if x > 0:
            return math.log(x)
        return -math.inf if x == 0 else math.nan

    def log2(x):
        if x > 0:
            return math.log2(x)
        return -math.inf if x == 0 else math.nan

    def log10(x):
        if x > 0:
            return math.log10(x)
        return -math.inf if x == 0 else math.nan

    def arcsin(x):
        return math.asin(x) if -1 <= x <= 1 else math.nan

    def arccos(x):
        return math.acos(x) if -1 <= x <= 1 else math.nan

    def floor(x):
        return float(math.floor(x))

    def ceil(x):
        return float(math.ceil(x))

    def power(x, y):
        return x**y

    def square(x):
        return x * x

    def mod(x, y):
        return x % y

    def minimum(x, y):
        return x if x <= y else y

    def maximum(x, y):
        return x if x >= y else y

    def clip(x, low, high):
        if x < low:
            return low
        return high if x > high else x

    array = _no_arrays
    arange = _no_arrays
    asarray = _no_arrays
    linspace = _no_arrays
    ones = _no_arrays
    zeros = _no_arrays
    full = _no_arrays
    mean = _no_arrays
    sum = _no_arrays


np = _numpy
