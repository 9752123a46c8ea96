"""Stop this machine when nothing has run on it for an hour.

cloud/start.sh lets systemd run this every five minutes, with the system's own Python. Anything
counts as running: a GPU or a processor at work, a Jupyter kernel that computes or was used. An
open browser or terminal does not count. If in doubt (a server that does not answer), the kernels
are taken for idle: GPU and processor still speak for them.
"""

import argparse
import datetime as dt
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import time
import urllib.request

STATE = pathlib.Path("/run/gan-guard")  # empty after a start of the machine
GPU_PERCENT = 5
CPU_SHARE = 0.2  # of one processor: a notebook that trains holds one or more


def gpu_at_work():
    """Whether a GPU computes at this moment."""
    if not shutil.which("nvidia-smi"):
        return False
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    said = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    return any(int(line) >= GPU_PERCENT for line in said.split() if line.isdigit())


def cpu_at_work():
    """Whether processes have kept a processor busy in the last five minutes."""
    return os.getloadavg()[1] >= CPU_SHARE


def kernels_of(file):
    """The kernels of the Jupyter server that wrote this file; none if it does not answer."""
    try:
        server = json.loads(file.read_text())
        request = urllib.request.Request(
            f"http://127.0.0.1:{int(server['port'])}{server['base_url']}api/kernels",
            headers={"Authorization": f"token {server['token']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            kernels = json.load(answer)
        return [(kernel["execution_state"], stamp(kernel["last_activity"])) for kernel in kernels]
    except (OSError, ValueError, KeyError):
        return []


def stamp(text):
    """Seconds since 1970 of a time as Jupyter writes it."""
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def kernels_used(runtime, since):
    """Whether a kernel computes, or was used after ``since`` (seconds since 1970)."""
    kernels = [kernel for file in runtime.glob("jpserver-*.json") for kernel in kernels_of(file)]
    return any(state == "busy" or used > since for state, used in kernels)


def idle_seconds(runtime, now):
    """For how long nothing has run, as far as was looked; what is seen is noted for next time."""
    STATE.mkdir(parents=True, exist_ok=True)
    mark = STATE / "last-at-work"
    last = float(mark.read_text()) if mark.exists() else 0.0
    if not last or gpu_at_work() or cpu_at_work() or kernels_used(runtime, since=last):
        mark.write_text(str(now))
        return 0.0
    return now - last


def main(argv=None):
    """Look once; stop the machine if it has idled for long enough."""
    parser = argparse.ArgumentParser(description="Stop this machine if it has been idle.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--user", default="ubuntu", help="whose Jupyter server to ask")
    options = parser.parse_args(argv)
    home = pathlib.Path(pwd.getpwnam(options.user).pw_dir)
    idle = idle_seconds(home / ".local/share/jupyter/runtime", time.time())
    print(f"idle for {idle / 60:.0f} of {options.minutes:.0f} minutes")
    if idle >= 60 * options.minutes:
        subprocess.run(["systemctl", "poweroff"], check=True)


if __name__ == "__main__":
    main()
