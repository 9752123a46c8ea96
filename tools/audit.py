"""Ask for known weaknesses of the packages in this environment.

    python tools/audit.py

pip-audit compares what is installed with the advisories of PyPI and, if those cannot be reached,
of OSV. An index that knows no advisories (a mirror, say) makes pip-audit pass over every package
and then report that it found nothing; here that counts as no answer. The exit code is 0 (all were
looked up, nothing is known), 1 (weaknesses are listed) or 3 (some or all could not be looked up).
"""

import json
import subprocess
import sys
from typing import Any

SERVICES = {"pypi": "PyPI", "osv": "OSV (osv.dev)"}
UNKNOWN = 3
SECONDS = 300


def ask(service: str) -> tuple[list[dict[str, Any]], str]:
    """What pip-audit found on each package, and the last thing it said besides."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--progress-spinner", "off"]
    command += ["--format", "json", "--vulnerability-service", service, "--timeout", "20"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return [], f"no answer within {SECONDS} seconds"
    last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
    try:
        return json.loads(done.stdout)["dependencies"], last
    except (ValueError, KeyError):
        return [], last


def report(packages: list[dict[str, Any]], name: str) -> int:
    """Say what was found on the packages; the exit code."""
    looked_up = [package for package in packages if "skip_reason" not in package]
    weak = [(package, hole) for package in looked_up for hole in package["vulns"]]
    for package, hole in weak:
        mended = ", ".join(hole["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {hole['id']}, mended in {mended}")
    print(
        f"{name}: {len(looked_up)} of {len(packages)} packages looked up, {len(weak)} weaknesses."
    )
    if weak:
        return 1
    return 0 if len(looked_up) == len(packages) else UNKNOWN


def main() -> int:
    """Run the script."""
    for service, name in SERVICES.items():
        packages, said = ask(service)
        if any("skip_reason" not in package for package in packages):
            return report(packages, name)
        reason = packages[0]["skip_reason"] if packages else said
        print(f"{name} has no answer: {reason[:300]}")
    print("Nothing was checked. Run this where the advisories of PyPI or osv.dev can be reached.")
    return UNKNOWN


if __name__ == "__main__":
    sys.exit(main())
