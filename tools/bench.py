"""Run the benchmarks one after another, and write what they found to docs/benchmarks.md.

    python tools/bench.py                        all, about an hour and a half on two cores
    python tools/bench.py training widgets       these; of the others the last results stay
    python tools/bench.py --list                 their names and settings

Nothing else should run meanwhile. Each runs in a process of its own; what it prints is its
result, and goes into the page as it is, with the command, the minutes and the machine it was
measured on. The page is written from ``build/benchmarks/results/<name>.json``.
"""

import argparse
import datetime as dt
import json
import pathlib
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import psutil

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from helpers.waiting import cores

RESULTS = ROOT / "build" / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
OUT = "build/benchmarks"
SETTINGS = {
    "mnist_quality": f"--seconds 60 --out {OUT}/mnist_quality",
    "training": "--parts ways checkpoint arithmetic --networks recommended --rounds 3 --steps 800",
    "precision": f"--precisions float32 mixed_bfloat16 --steps 300 --out {OUT}/precision",
    "faces": f"--variants recommended --marks 2000 4000 8000 16000 32000 48000 --out {OUT}/faces",
    "streaming": f"--rounds 5 --seconds 2 --out {OUT}/streaming.json",
    "standins": "--count 4000",
    "scoring": "",
    "known_answers": "",
    "feature_networks": "--pictures 2000",
    "widgets": "--rounds 50",
    "emnist_standins": "",
    "clinic": "",
    "grading": "",
}
"""Every benchmark, in the order in which they run, with settings that give a steady figure."""
BUSY_SECONDS = 3.0
"""How long the processor is watched before each benchmark, in seconds."""
BUSY_PERCENT = 10.0
"""What other programs may take of all cores before a result is said to have been disturbed."""
PROGRESS = re.compile(
    r"(round )? *\d+ of \d+\b|look at |.*: training for |.*\r|.*\d+ %\|"
    r"|(drawing|preparing) .*: |Continuing at step |\w+ +\d+ s +[\d,]+ steps "
)
"""Lines that only tell how far a benchmark is."""
LIST = (
    "Each is one program in `benchmarks/`; `make bench` runs them all and writes this page. "
    "`python` is the environment's, `.venv/bin/python`."
)


def question(name: str) -> str:
    """The first line of a benchmark's docstring: what it asks."""
    text = (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
    return text.split('"""')[1].partition("\n")[0]


def processor() -> str:
    """The name of the processor, as far as the system tells it."""
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists() and (m := re.search(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE)):
        return m[1]
    return platform.processor() or platform.machine()


def gpus() -> list[str]:
    """The names of NVIDIA's cards in this machine."""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return []


def machine() -> str:
    """What figures are measured on, in one line."""
    cards = ", ".join(gpus()) or "no GPU"
    memory = psutil.virtual_memory().total / 2**30
    versions = {name: metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return (
        f"{cores()} cores of {processor()}, {memory:.0f} GiB, "
        f"{cards}; {platform.system()}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
    )


def run(name: str, settings: str) -> dict[str, Any]:
    """Run one benchmark, with its output on the screen, too; what there is to tell of it."""
    command = ["benchmarks/" + name + ".py", *settings.split()]
    busy, began = psutil.cpu_percent(interval=BUSY_SECONDS), time.monotonic()
    lines = []
    with subprocess.Popen(
        [sys.executable, "-u", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines += [] if PROGRESS.match(line) else [line.rstrip()]
    return {
        "name": name,
        "command": " ".join(["python", *command]),
        "minutes": (time.monotonic() - began) / 60,
        "code": process.returncode,
        "output": re.sub(r"\n\n\n+", "\n\n", "\n".join(lines)).strip(),
        "busy": busy,
        "day": dt.date.today().isoformat(),
        "machine": machine(),
    }


def section(result: dict[str, Any]) -> str:
    """A benchmark's part of the page."""
    notes = [f"{result['day']}, {result['minutes']:.1f} minutes, on {result['machine']}."]
    if result["code"]:
        notes += [f"**It ended with {result['code']}: a bound was missed, or it could not run.**"]
    if result["busy"] > BUSY_PERCENT:
        notes += [
            f"Before it began, other programs kept the processor {result['busy']:.0f} % busy: "
            "times are too long."
        ]
    return (
        f"## {result['name']}\n\n{question(result['name'])}\n\n    {result['command']}\n\n"
        f"{' '.join(notes)}\n\n```text\n{result['output']}\n```\n"
    )


def page(results: Sequence[dict[str, Any]]) -> str:
    """The page, with the results in the order of ``SETTINGS``."""
    order = list(SETTINGS)
    ordered = sorted(results, key=lambda result: order.index(result["name"]))
    missing = [name for name in order if name not in {result["name"] for result in results}]
    head = f"# Benchmarks\n\n{LIST} Medians and ratios are each program's own.\n"
    if missing:
        head += f"\nNot run yet: {', '.join(missing)}.\n"
    return "\n".join([head, *map(section, ordered)])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; the exit code is 1 if a benchmark missed a bound, else 0."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    options = parser.parse_args(argv)
    if unknown := set(options.names) - SETTINGS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there is {', '.join(SETTINGS)}")
    if options.list:
        for name, settings in SETTINGS.items():
            print(f"{name:<17} {settings:<60} {question(name)}")
        return 0
    RESULTS.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in options.names or SETTINGS:
        print(f"==> {name}: {question(name)}", flush=True)
        result = run(name, SETTINGS[name])
        failed += bool(result["code"])
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
        known = [json.loads(file.read_text(encoding="utf-8")) for file in RESULTS.glob("*.json")]
        PAGE.write_text(page(known), encoding="utf-8")
    print(f"{PAGE}: {failed} of {len(options.names or SETTINGS)} missed a bound or did not run")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
