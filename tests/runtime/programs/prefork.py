"""A server that is made once and forked into workers, as gunicorn does; master and workers call the model."""

from __future__ import annotations

import os
import sys

import openai


def ask(gpt: openai.OpenAI) -> None:
    gpt.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])


def main() -> None:
    mine, gpt = openai.OpenAI(), openai.OpenAI()  # a connection that is open cannot be shared
    ask(mine)
    workers = []
    for _ in range(2):
        worker = os.fork()
        if worker == 0:
            ask(gpt)
            ask(gpt)
            sys.exit(0)
        workers.append(worker)
    codes = [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers]
    ask(mine)
    print("workers ended with", codes)


if __name__ == "__main__":
    main()
