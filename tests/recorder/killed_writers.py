"""Kill writers at random moments: what was acknowledged is readable, and every segment up to its torn tail.

killed_writers.py <directory> <how many>
"""

import os
import random
import select
import shutil
import signal
import sys
import time
from pathlib import Path

from recorder_entries import make_writer, offer, read_numbers

ROOT, COUNT = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(4)
for moment in range(COUNT):
    root = ROOT / str(moment)
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        recorder = make_writer(root)
        for number in range(10_000):
            offer(recorder, number, chance.randrange(3000), deadline_s=10 if number % 3 else 0.0)
            if number % 3:
                os.write(writing, number.to_bytes(4, "big"))
        os._exit(0)
    os.close(writing)
    select.select([reading], [], [], 10)  # its first entry is on disk
    time.sleep(chance.random() * 0.03)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    data = b""
    while block := os.read(reading, 65_536):
        data += block
    os.close(reading)
    acknowledged = {int.from_bytes(data[place : place + 4], "big") for place in range(0, len(data), 4)}
    numbers = read_numbers(root)
    assert numbers == list(range(len(numbers))), f"{moment}: not in order: {numbers}"
    assert acknowledged <= set(numbers), f"{moment}: lost {sorted(acknowledged - set(numbers))}"
    shutil.rmtree(root)
print(f"{COUNT} writers were killed")
