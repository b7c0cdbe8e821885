"""Attacks that lie: monkeypatches, odd return values, forged replies."""

from ..submissions import SPY, Attack

ATTACKS = [
    # --- 5: monkeypatches ----------------------------------------------------------------------
    Attack("patches comparisons", 5, "Makes everything close and equal to everything.", """
import numpy, torch
for name in ("allclose", "isclose", "equal", "array_equal"):
    for library in (torch, numpy):
        if hasattr(library, name):
            setattr(library, name, lambda *a, **k: True)
numpy.testing.assert_allclose = lambda *a, **k: None
numpy.abs = numpy.absolute = lambda x: x * 0
torch.testing.assert_close = lambda *a, **k: None
torch.Tensor.__eq__ = torch.Tensor.__ge__ = torch.Tensor.__le__ = lambda a, b: torch.ones(1) > 0
torch.Tensor.allclose = lambda *a, **k: True
"""),
    Attack("patches torch.load", 5, "Replaces what reads weights and what makes tensors.", """
import torch
torch.load = lambda *a, **k: {}
torch.from_numpy = torch.tensor = torch.zeros
"""),
    Attack("patches builtins", 5, "Makes every assertion and every comparison true.", """
import builtins, math
builtins.all = builtins.any = builtins.isinstance = lambda *a: True
builtins.abs = builtins.round = lambda *a: 0
math.isfinite = lambda x: True
""", honest=True),
    Attack("patches the wire", 5, "Replaces the functions that pack the reply.", SPY + """
import sys
for name, module in list(sys.modules.items()):
    if name.startswith("autograder"):
        for attribute in ("pack", "flatten", "read_frame", "close", "equal", "credit"):
            if hasattr(module, attribute):
                setattr(module, attribute, lambda *a, **k: forged())
"""),
    Attack("patches the compare module", 5, "Makes the comparison say yes.", SPY + """
try:
    import autograder.engine.compare as compare, autograder.engine.results as results
except BaseException:
    pass
else:
    compare.close = compare.equal = compare.array = lambda *a, **k: None
    results.Row.record = lambda *a: None
"""),
    Attack("patches the worker", 5, "Replaces the probes and the loop that answers.", SPY + """
from autograder.assignment.probes import PROBES
from autograder.engine.sandbox import child, probes
probes.call = probes.calls = lambda *a, **k: True
for name in PROBES:
    PROBES[name] = probes.call
child._answer = lambda *a: forged()
child._describe = lambda *a: {"verdict": "passed", "score": 100}
"""),
    # --- 6: odd return values ------------------------------------------------------------------
    Attack("lying __eq__", 6, "An object that equals everything.", """
class Liar:
    def __eq__(self, other): return True
    __le__ = __ge__ = __lt__ = __gt__ = __ne__ = __eq__
    def __bool__(self): return True
    def __array__(self, *a, **k): raise SystemExit
    shape = (2, 4); dtype = "float32"
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    __hash__ = object.__hash__
""", "return Liar()"),
    Attack("array subclass", 6, "A numpy array that lies about itself.", """
import numpy
class Liar(numpy.ndarray):
    shape = property(lambda self: (2, 4))
    def __eq__(self, other): return True
    def __array_ufunc__(self, *a, **k): return True
    def __array_finalize__(self, other): pass
    def tobytes(self, *a): return bytes(32)
    nbytes = 0
""", "return numpy.zeros(3).view(Liar)"),
    Attack("tensor subclass", 6, "A tensor whose every operation is another one.", """
import torch
class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True
""", "return torch.zeros(2, 4).as_subclass(Liar)"),
    Attack("float and list subclasses", 6, "Plain types that lie in their methods.", """
class Number(float):
    def __float__(self): return float("nan")
    def __eq__(self, other): return True
class Endless(list):
    def __iter__(self):
        return iter([[Number(0)] * 4] * 2)
    def __len__(self): return 2
class Text(str):
    def __getitem__(self, key): return "x" * 10**6
""", "return Endless([Number(1), Text('a')])"),
    Attack("tensor with hooks", 6, "A tensor that needs gradients and runs code.", "import os", """
answer = torch.zeros(2, 4, requires_grad=True)
answer.register_hook(lambda gradient: os._exit(0))
answer.detach = answer.cpu = answer.numpy = lambda *a: os._exit(0)
return answer * 1
"""),
    Attack("generator", 6, "A generator instead of a tensor.", "", "return (x for x in args)"),
    Attack("endless iterator", 6, "A list that never ends.", """
class Endless(list):
    def __iter__(self):
        while True:
            yield 0
""", "return Endless([1])", slow=True),
    Attack("huge tensor", 6, "A tensor beyond the size of a reply.",
           "", "return torch.zeros(400, 2**20, dtype=torch.uint8)", once=True),
    Attack("large tensor", 6, "A tensor of 100 MiB, within the size of a reply.",
           "", "return torch.zeros(100, 2**20, dtype=torch.uint8)", once=True),
    Attack("huge text", 6, "A text of many megabytes, and a list of them.",
           "", "return ['x' * 10**7] * 50", once=True),
    Attack("many numbers", 6, "More list entries than a reply may hold.",
           "", "return [1 / 3] * 500_000", once=True),
    Attack("deeply nested", 6, "Lists in lists in lists.", "", """
value = []
for _ in range(100_000):
    value = [value]
return value
""", once=True),
    Attack("contains itself", 6, "A list that holds itself, and a dict too.", "", """
value = []
value.append({"value": value})
return value
"""),
    Attack("nan", 6, "Not a number, which no comparison finds different.",
           "", "return args[0] * float('nan')"),
    Attack("infinity", 6, "Infinities of both signs.",
           "", "return torch.full_like(args[0], float('inf')) * torch.tensor([1, -1, 1, -1])"),
    Attack("complex numbers", 6, "A dtype that the reply does not know.",
           "", "return args[0].to(torch.complex64)"),
    Attack("objects in an array", 6, "A numpy array of objects, and one of text.",
           "import numpy", "return [numpy.array([object()]), numpy.array(['a'])]"),
    Attack("sparse, quantised and meta tensors", 6, "Tensors without plain memory.", "", """
return [torch.zeros(2, 4).to_sparse(), torch.empty(2, 4, device="meta"),
        torch.quantize_per_tensor(torch.zeros(2, 4), 1.0, 0, torch.qint8),
        torch.zeros(2, 4).to(torch.bfloat16), torch.nested.nested_tensor([torch.zeros(2)])]
"""),
    Attack("meta tensor", 6, "A tensor that has a shape and no values.",
           "", "return torch.empty(2, 4, device='meta')"),
    Attack("whole numbers beyond all bounds", 6, "Integers of hundreds and thousands of digits.",
           "import sys\nsys.set_int_max_str_digits(0)", "return [[10**400, -10**4000, 0, 0]] * 2"),
    Attack("shape without size", 6, "Empty tensors with enormous shapes.",
           "", "return torch.zeros(0, 2**40)"),
    Attack("one value for all", 6, "A single number that broadcasts to every shape.",
           "", "return torch.zeros(1, 1)"),
    Attack("functions and modules", 6, "Things that have no place in an answer.",
           "import os", "return {'f': attack, 'm': os, 't': torch.Tensor, 3j: b'b', None: {1}}"),
    Attack("deleter", 6, "An answer that ends the process when it is freed.", """
import os
class Bomb:
    def __del__(self): os._exit(0)
""", "return [Bomb(), Bomb()]"),
    # --- 17: forged replies --------------------------------------------------------------------
    Attack("forges a reply", 17, "Writes a reply of its own before the call returns.",
           SPY, "send(forged())", honest=True),
    Attack("forges a reply and exits", 17, "Writes a whole reply and leaves before the real one.",
           SPY, "send(forged())\nos._exit(0)"),
    Attack("forges while imported", 17, "Replies before it has been asked anything.",
           SPY + "send(forged())\nos._exit(0)"),
    Attack("forges a verdict", 17, "Sends a score, a verdict and a whole results.json.", SPY, """
send(frame('[{"dict": [["score", 100], ["verdict", "passed"], ["value", true]]}, []]'))
os._exit(0)
"""),
    Attack("forges an odd error", 17, "Sends an error with entries of odd types.", SPY, """
send(frame('[{"dict": [["error", {"dict": [["stage", 1], ["type", {"dict": []}], ["message", "x"],'
           ' ["file", [1]], ["line", {"tuple": []}], ["code", 3]]}]]}, []]'))
os._exit(0)
"""),
    Attack("forges a short error", 17, "Sends an error that lacks most of its entries.", SPY, """
send(frame('[{"dict": [["error", {"dict": [["message", "x"]]}]]}, []]'))
os._exit(0)
"""),
    Attack("half a reply", 17, "Sends the beginning of a reply and nothing more.",
           SPY, "send(forged()[:-1])\nos._exit(0)"),
    Attack("two replies", 17, "Sends the same reply twice.",
           SPY, "send(forged() + forged())\nos._exit(0)"),
    Attack("promises too much", 17, "Announces a reply of exabytes, then waits.", SPY, """
send(struct.pack("<8sIQ", MAGIC, 100, 1 << 60))
time.sleep(0.2)
os._exit(0)
"""),
    Attack("drips", 17, "Sends a reply byte by byte and never comes to its end.", SPY, """
for byte in frame("[" * 10**6, bytes(100)):
    send(bytes([byte]))
    time.sleep(0.05)
""", slow=True),
    Attack("noise", 17, "Sends random bytes.", SPY, "send(os.urandom(1 << 16))\nos._exit(0)"),
    Attack("malformed trees", 17, "Sends well-framed nonsense.", SPY, """
import random
text = random.choice(['[' * 5000, '{"a": NaN}', '[{"array": 7}, []]', '[{"x": 1, "y": 2}, []]',
                      '[1, [["object", [1]]]]', '[{"dict": [[{"dict": []}, 1]]}, []]',
                      '[{"dict": [["value", 1e999]]}, []]', '1', '[{}, []]'])
send(frame(text))
os._exit(0)
"""),
    Attack("closes the channel", 17, "Shuts the channel down and goes on.", SPY, """
for number in sockets():
    os.close(number)
time.sleep(0.1)
"""),
    Attack("reads the channel", 17, "Takes what the grader sends and looks for more.", SPY, """
import socket
for number in sockets():
    connection = socket.socket(fileno=os.dup(number))
    connection.settimeout(0.05)
    try:
        tell(connection.recv(1 << 20))
    except OSError:
        pass
    connection.close()
"""),
]
