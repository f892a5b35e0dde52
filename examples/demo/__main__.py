"""`python -m demo`: a support agent under load, variables that move while it runs, and who is told which one it was.

DEMO_JSON=path also writes the summary as JSON. The exit code is 0 if every phase named the right variable and no other,
1 if one did not, 2 if a part of the stack cannot run, 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import stack
import toolchain
from demo import perform, play, summary
from otel_agentops.slo import SpecError

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, a job that is cancelled, a terminal that is closed
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help="A support agent under load, variables that move while it runs, and who is told which one it was.")
def main(
    fast: Annotated[bool, typer.Option("--fast", help="The first three phases only.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave all running until Ctrl-C, and say where.")] = False,
    without_prometheus: Annotated[
        bool, typer.Option("--without-prometheus", help="Ask the collector's own endpoint, as where there is none.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the customers.")] = 1,
    rate: Annotated[float, typer.Option(min=4, max=30, help="Customers a second.")] = 8,
    svg: Annotated[
        Path | None, typer.Option(help="Also draw the first page that names a variable into this file.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Also have the agent recorded in this directory: see docs/recorder.md.")
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the summary and end.")] = False,
) -> None:
    if schema:
        print(json.dumps(summary.Summary.model_json_schema(), indent=2))
        return
    json_path = os.environ.get("DEMO_JSON")
    json_file = Path(json_path) if json_path else None
    options = perform.Options(fast, keep, without_prometheus, seed, rate, svg, json_file, record)
    for number in ENDINGS:
        signal.signal(number, _interrupt_once)
    raise typer.Exit(run_demo(options, Console(highlight=False)))


def _interrupt_once(*_: object) -> None:
    """Raise KeyboardInterrupt for the first signal and ignore all later ones."""
    # `make` and `uv` repeat a Ctrl-C of the terminal, and the parts must end in order.
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def run_demo(options: perform.Options, console: Console) -> int:
    """Run the demo and return the exit code; keep the logs if something failed."""
    if problem := _find_unwritable(options):
        return _report_failure(problem)
    directory = Path(tempfile.mkdtemp(prefix="otel-agentops-demo-"))
    try:
        code = 0 if perform.perform_demo(options, console, directory).ok else 1
    except KeyboardInterrupt:
        console.print("ended by hand, every part is stopped")
        code = 130
    except (toolchain.UnavailableError, SpecError) as error:
        code = _report_failure(str(error))
    except (stack.NotReadyError, play.NothingSeenError) as error:
        return _report_failure(f"{error}\nThe logs of all parts are in {directory}.")
    if code == 1:
        console.print(f"The logs of all parts and the stored traces are in {directory}.", soft_wrap=True)
    else:
        shutil.rmtree(directory)
    return code


def _find_unwritable(options: perform.Options) -> str | None:
    """Return a sentence about the first output file that cannot be written."""
    for what, path in (("DEMO_JSON", options.json), ("--svg", options.svg)):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            return f"{what}={path} cannot be written; name a file in a directory that exists."
    return None


def _report_failure(sentence: str) -> int:
    """Print the reason to stderr and return the exit code for it."""
    print(f"The demo cannot run: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    app(prog_name="python -m demo")
