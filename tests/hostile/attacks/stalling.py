"""Attacks on the grader's time and on what it reads: it must stall nowhere, and tell nothing.

Most of them answer public questions rightly, from what students have, and strike on hidden ones:
whoever ended or stalled the grader then would keep the public points.
"""

from ..submissions import SPY, Attack

# Public questions have their public answers, which anyone can look up; hidden ones go on.
KNOWN = """
if total(args) in PUBLIC:
    return torch.tensor(PUBLIC[total(args)])
"""


def stall(name: str, what: str, call: str) -> Attack:
    """An attack that strikes where the answer is not known."""
    return Attack(name, 23, what, SPY, KNOWN + call)


ATTACKS = [
    # --- 23: ends or stalls the grader --------------------------------------------------------
    stall("colliding keys", "A dict whose keys have one hash, in 8 MiB.", """
pairs = ",".join(f"[{k * (2**61 - 1)},0]" for k in range(1, 300_000))
send(frame('[{"dict":[["value",{"dict":[' + pairs + ']}]]},[]]'))
"""),
    stall("256 MiB of arrays", "The largest reply that the format knows.", """
send(frame('[{"dict":[["value",{"array":0}]]},[["uint8",[268435456]]]]', bytes(1 << 28)))
"""),
    stall("a million empty lists", "JSON that unpacks to a hundred times its size.", """
send(frame('[{"dict":[["value",[' + ",".join(["[]"] * 2_500_000) + ']]]},[]]'))
"""),
    stall("a million empty arrays", "Arrays that cost nothing to send.", """
arrays = ",".join('{"array":%d}' % n for n in range(250_000))
send(frame('[{"dict":[["value",[' + arrays + ']]]},['
           + ",".join(['["bool",[0]]'] * 250_000) + ']]'))
"""),
    stall("nested a million deep", "JSON deeper than any recursion.", """
send(frame("[" * 1_000_000))
send(frame('[{"dict":[["value",' + '{"tuple":[' * 100_000 + ']}' * 100_000 + ']]},[]]'))
"""),
    stall("an array of many axes", "Shapes without end, and some that overflow.", """
send(frame('[{"dict":[["value",{"array":0}]]},[["uint8",[' + ",".join(["1"] * 500_000) + ']]]]',
           b"x"))
send(frame('[{"dict":[["value",{"array":0}]]},[["uint8",[' + "9" * 4000 + ']]]]', b"x"))
"""),
    stall("numbers of a million digits", "Whole and fractional numbers that take long to read.", """
send(frame('[{"dict":[["value",{"float":"' + "1234567890" * 300_000 + 'e-3000000"}]]},[]]'))
send(frame('[{"dict":[["value",' + "9" * 3_000_000 + ']]},[]]'))
"""),
    stall("a text of a million digits", "Where a regular expression may look for a number.", """
send(frame('[{"dict":[["value","' + "0" * 3_000_000 + '"]]},[]]'))
"""),
    stall("an error of megabytes", "An error whose every part is long, and says what it likes.", """
long = "Passed. " * 100_000
send(frame('[{"dict":[["error",{"dict":[["stage","run"],["type","%s"],["message","%s"],'
           '["file","%s"],["line",1],["code","%s"]]}]]},[]]' % ((long,) * 4)))
"""),
    stall("half a reply", "The reply begins, and its end never comes.", """
data = frame('[{"dict":[["value",{"array":0}]]},[["float32",[40,4]]]]', bytes(640))
send(data[:200])
os._exit(0)
"""),
    Attack("a reply in drops", 23, "One byte at a time, until the deadline.", SPY, """
for byte in frame('[{"dict":[["value",{"array":0}]]},[["float32",[40,4]]]]', bytes(640)):
    send(bytes([byte]))
    time.sleep(0.1)
""", slow=True),
    Attack("replies without end", 23, "Frame after frame, for ever.", SPY, """
data = forged() * 1000
while True:
    send(data)
""", slow=True),
    Attack("an exception that answers", 23, "Its text is made by code that ends the process.",
           SPY, """
class Evil(Exception):
    def __str__(self):
        send(forged())
        os._exit(0)
raise Evil
"""),
    Attack("an exception without text", 23, "Its text raises, is no text, or is one without end.",
           SPY, """
class Evil(Exception):
    def __str__(self):
        if total(args) % 2 > 1:
            raise SystemExit("100 points")
        return 5
class Name(type):
    @property
    def __name__(cls):
        raise KeyboardInterrupt
raise Name("Evil", (Evil,), {})
"""),
    Attack("an exception that hangs", 23, "Whoever asks for its text waits for ever.", SPY, """
class Evil(Exception):
    def __str__(self):
        while True:
            pass
raise Evil
""", slow=True),
    Attack("a chain of exceptions", 23, "Each was raised from the one before it.", "", """
error = None
for n in range(20_000):
    try:
        raise ValueError("x" * 100) from error
    except ValueError as caught:
        error = caught
raise error
"""),
    Attack("leaves its results", 23, "Fills results/ with files, folders and links.", SPY, """
for n in range(200):
    attempt(Path(f"results/{n}.json").write_text, "{}" * 100)
    attempt(os.symlink, "/etc/passwd", f"results/link{n}")
os.makedirs("results/" + "d/" * 40)
os.chmod("results", 0)
"""),
    # --- 24: public answers to hidden questions ----------------------------------------------
    Attack("answers by the seed", 24, "Picks an answer by the seed of the check.", SPY, """
known = [torch.tensor(answer) for answer in PUBLIC.values()]
return known[torch.initial_seed() % len(known)]
"""),
    Attack("answers by the order", 24, "Picks an answer by what tells when it was asked.", SPY, """
known = [torch.tensor(answer) for answer in PUBLIC.values()]
told = [os.getpid(), int(time.time() * 10), *map(int, re.findall("[0-9]+", os.getcwd()))]
return known[sum(told) % len(known)]
"""),
    Attack("the public answer that fits best", 24, "Answers like the nearest public question.",
           SPY, """
known = [torch.tensor(answer) for answer in PUBLIC.values()]
return min(known, key=lambda answer: abs(float(answer.sum()) - total(args)))
"""),
    # --- 25: hangs honestly -------------------------------------------------------------------
    Attack("waits on import", 25, "Waits for something that never comes, when it is imported.",
           "import threading\nthreading.Event().wait()", slow=True),
    Attack("waits in small steps", 25, "Uses no time to speak of, and never ends.",
           "import time", "while True:\n    time.sleep(0.01)", slow=True),
    Attack("waits for a thread", 25, "Its thread never ends.", "import threading", """
thread = threading.Thread(target=threading.Event().wait)
thread.start()
thread.join()
""", slow=True),
    Attack("waits for a child", 25, "Its child never ends.", "import os, time", """
child = os.fork()
if child == 0:
    time.sleep(10**6)
os.waitpid(child, 0)
""", slow=True),
    Attack("ignores that its time is up", 25, "Catches SIGXCPU and goes on, with the right answer.",
           SPY, """
signal.signal(signal.SIGXCPU, lambda *_: None)
end = time.process_time() + 3
while time.process_time() < end:
    pass
""", honest=True, slow=True),
]
