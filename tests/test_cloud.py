"""A machine on EC2: open to nobody, stops by itself, and loses nothing that was made on it."""

import http.server
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import yaml

CLOUD = pathlib.Path(__file__).resolve().parent.parent / "cloud"
START = CLOUD / "start.sh"
TOOLS = pathlib.Path(sys.executable).parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="for machines with a POSIX shell")


def tool(name):
    """A program of requirements-dev.txt."""
    found = shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    assert found, f"{name} is not installed: make lint"
    return found


def checked(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ----------------------------------------------------------------------------------- the guard


@pytest.fixture
def guard(tmp_path, monkeypatch):
    """The guard as a module; ``at_work`` says what is seen, ``commands`` what is called."""
    spec = importlib.util.spec_from_file_location("guard", CLOUD / "guard.py")
    guard = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guard)
    monkeypatch.setattr(guard, "STATE", tmp_path / "state")
    guard.commands, guard.load, guard.gpu = [], 0.01, None

    def run(command, **_):
        guard.commands.append(command)
        return SimpleNamespace(stdout="".join(f"{percent}\n" for percent in guard.gpu or []))

    monkeypatch.setattr(guard.subprocess, "run", run)
    monkeypatch.setattr(guard.os, "getloadavg", lambda: (5.0, guard.load, 5.0))
    monkeypatch.setattr(guard.shutil, "which", lambda name: name if guard.gpu is not None else None)
    home = SimpleNamespace(pw_dir=str(tmp_path))
    monkeypatch.setattr(guard.pwd, "getpwnam", lambda name: home)
    guard.runtime = tmp_path / ".local/share/jupyter/runtime"
    guard.runtime.mkdir(parents=True)
    guard.now = 1_700_000_000.0
    monkeypatch.setattr(guard.time, "time", lambda: guard.now)

    def look_every_five_minutes(minutes):
        for _ in range(round(minutes / 5)):
            guard.now += 300
            guard.main(["--minutes", "60"])

    def stopped():
        return ["systemctl", "poweroff"] in guard.commands

    guard.look, guard.stopped = look_every_five_minutes, stopped
    return guard


@pytest.fixture
def jupyter(guard):
    """A Jupyter server with one kernel: ``set(state, seconds_ago)``; it knows its token."""
    kernel = {"token": None}

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kernel["token"] = self.headers["Authorization"]
            right = self.path == "/lab/api/kernels" and kernel["token"] == "token abc"
            self.send_response(200 if right else 403)
            self.end_headers()
            self.wfile.write(json.dumps(kernel["said"] if right else []).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    card = {"port": server.server_port, "base_url": "/lab/", "token": "abc"}
    (guard.runtime / "jpserver-1.json").write_text(json.dumps(card))

    def say(state, seconds):
        used = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(seconds))
        kernel["said"] = [{"execution_state": state, "last_activity": used}]

    say("idle", 0)
    yield say
    server.shutdown()
    server.server_close()


def test_a_machine_on_which_nothing_runs_is_stopped_after_an_hour(guard):
    guard.look(60)  # the first look comes when the machine has started, and counts as work
    assert not guard.stopped()
    guard.look(5)
    assert guard.stopped()


@pytest.mark.parametrize("work", [{"load": 0.9}, {"gpu": [0, 50]}])
def test_a_machine_at_work_is_not_stopped_and_then_has_an_hour_again(guard, work):
    vars(guard).update(work)
    guard.look(180)
    assert not guard.stopped()
    guard.load, guard.gpu = 0.0, [0, 0]
    guard.look(55)
    assert not guard.stopped()
    guard.look(5)
    assert guard.stopped()


def test_an_idle_gpu_and_one_that_tells_nothing_do_not_count(guard):
    guard.gpu = ["0", "[N/A]", "2"]
    guard.look(65)
    assert guard.stopped()


def test_a_kernel_that_computes_keeps_the_machine(guard, jupyter):
    jupyter("busy", 0)
    guard.look(120)
    assert not guard.stopped()


def test_a_kernel_that_is_used_now_and_then_keeps_the_machine(guard, jupyter):
    for _ in range(6):
        jupyter("idle", guard.now + 100)
        guard.look(30)
    assert not guard.stopped()
    guard.look(60)
    assert guard.stopped()


def test_a_kernel_that_is_only_open_does_not(guard, jupyter):
    jupyter("idle", guard.now - 86_400)
    guard.look(65)
    assert guard.stopped()


@pytest.mark.parametrize("text", ["{", "{}", '{"port": 1, "base_url": "/", "token": ""}'])
def test_a_server_that_is_gone_does_not_stop_the_guard(guard, text):
    (guard.runtime / "jpserver-2.json").write_text(text)
    guard.look(65)
    assert guard.stopped()


# ------------------------------------------------------------------------------------ start.sh


def rehearse(**environment):
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    environment = {"DRY_RUN": "1", "GAN_USER": user, **environment}
    return subprocess.run(
        ["bash", START], env={**os.environ, **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_the_scripts_have_no_fault_that_shellcheck_knows():
    checked(tool("shellcheck"), str(START))
    checked(tool("shellcheck"), str(CLOUD.parent / "tests" / "start_in_debian.sh"))
    make_env = str(CLOUD.parent / "tools" / "make_env.sh")
    checked(tool("shellcheck"), "--severity=warning", make_env)


def test_the_guard_is_there_before_anything_can_fail():
    said = rehearse(GAN_REPOSITORY="https://x.org/y", GAN_IDLE_MINUTES="45").stdout
    steps = ["gan-guard.timer\n", "apt-get", "gan-data", "git clone", "gan-lab.service\n"]
    places = [said.index(step) for step in steps]
    assert places == sorted(places)
    assert "guard.py --minutes 45 --user" in said
    assert said.index("enable --now gan-guard.timer") < said.index("shutdown -c")


def test_jupyter_listens_to_this_machine_alone():
    said = rehearse().stdout
    assert "--ip=127.0.0.1" in said
    for file in CLOUD.iterdir():
        text = file.read_text()
        assert not re.search(r"--ip=(?!127\.0\.0\.1)|token=''|disable_check_xsrf|ip=\*", text)
        assert "0.0.0.0" not in text


def test_what_cannot_work_is_said_at_once():
    assert "there is no user nobody-here" in rehearse(GAN_USER="nobody-here").stderr
    if os.getuid():
        assert "as root" in rehearse(DRY_RUN="").stderr


def function(name):
    return re.search(rf"^{name}\(\) \{{.*?^\}}", START.read_text(), re.MULTILINE | re.DOTALL)[0]


@pytest.mark.parametrize(
    ("disks", "found"),
    [
        ({"root": "parts", "new": "empty"}, "new"),
        ({"root": "parts", "old": "gan-data", "new": "empty"}, "old"),
        ({"root": "parts"}, None),
        ({"root": "parts", "full": "ext4"}, None),  # never formatted, whatever it holds
        ({"root": "parts", "parted": "parts"}, None),
        ({}, None),
    ],
)
def test_only_an_empty_disk_or_our_own_is_taken(tmp_path, disks, found):
    place = tmp_path / "disks"
    place.mkdir()
    for name, holds in disks.items():
        (place / name).write_text(holds)
    programs = {
        "blkid": 'case $1 in -L) f=$(grep -l "^gan-data$" DISKS/*) && echo $f;; '
        '-p) ! grep -q "^empty$\\|^parts$" "$2";; esac',
        "lsblk": 'echo disk; ! grep -q "^parts$" "$3" || echo part1',
    }
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        file = tmp_path / "bin" / name
        file.write_text(f"#!/bin/sh\n{text.replace('DISKS', str(place))} 2>/dev/null\n")
        file.chmod(0o755)
    candidates = " ".join(str(place / name) for name in disks)
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{function('find_disk')}\nfind_disk"],
        env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "GAN_CANDIDATES": candidates},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == (str(place / found) if found else "")
    assert (done.returncode == 0) == bool(found)


# ---------------------------------------------------------------------------------- the template


@pytest.fixture(scope="module")
def template():
    """cloud/ec2.yaml; a function of CloudFormation is a pair of its name and its arguments."""

    class Loader(yaml.SafeLoader):
        pass

    def call(loader, name, node):
        kind = type(node).__name__.removesuffix("Node").lower()
        arguments = {"deep": True} if kind != "scalar" else {}
        return name, getattr(loader, f"construct_{kind}")(node, **arguments)

    Loader.add_multi_constructor("!", call)
    return yaml.load((CLOUD / "ec2.yaml").read_text(), Loader)


def values(tree, key):
    """All values of a key, anywhere."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield value
            yield from values(value, key)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from values(value, key)


def test_cfn_lint_finds_no_fault():
    checked(tool("cfn-lint"), str(CLOUD / "ec2.yaml"))


def test_nothing_comes_in_but_ssh_from_one_place(template):
    ingress = template["Resources"]["Group"]["Properties"]["SecurityGroupIngress"]
    condition, rules, otherwise = ingress[1]
    assert (ingress[0], condition, otherwise) == ("If", "HasSsh", ("Ref", "AWS::NoValue"))
    (rule,) = rules
    assert (rule["FromPort"], rule["ToPort"], rule["CidrIp"]) == (22, 22, ("Ref", "SshCidr"))
    kinds = [resource["Type"] for resource in template["Resources"].values()]
    assert not [kind for kind in kinds if "Ingress" in kind]


@pytest.mark.parametrize(
    ("cidr", "allowed"),
    [("", True), ("203.0.113.7/32", True), ("10.1.0.0/16", True),
     ("0.0.0.0/0", False), ("10.0.0.0/8", False), ("::/0", False), ("anywhere", False)],
)  # fmt: skip
def test_ssh_cannot_be_opened_to_the_world(template, cidr, allowed):
    pattern = template["Parameters"]["SshCidr"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, cidr)) == allowed


def test_rights_are_few(template):
    assert not list(values(template, "ManagedPolicyArns"))
    actions = [a for found in values(template["Resources"]["Role"], "Action")
               for a in ([found] if isinstance(found, str) else found)]  # fmt: skip
    assert not [action for action in actions if "*" in action]
    services = {action.split(":")[0] for action in actions}
    assert services == {"sts", "ssm", "ssmmessages", "s3"}
    for resource in values(template["Resources"]["Role"], "Resource"):
        assert resource == "*" or "${ResultsBucket}" in resource[1]


def test_disks_are_encrypted_tokens_asked_for_and_the_volume_survives(template):
    assert list(values(template, "Encrypted")) == [True, True]
    data = template["Resources"]["Data"]
    assert data["DeletionPolicy"] == data["UpdateReplacePolicy"] == "Retain"
    (options,) = values(template, "MetadataOptions")
    assert options["HttpTokens"] == "required"
    assert options["HttpPutResponseHopLimit"] == 1


def test_a_machine_that_switches_itself_off_costs_nothing_more(template):
    data = template["Resources"]["Template"]["Properties"]["LaunchTemplateData"]
    assert data["InstanceInitiatedShutdownBehavior"] == ("If", ["IsSpot", "terminate", "stop"])
    # A persistent request would start another machine in the place of one that went.
    assert [o["SpotInstanceType"] for o in values(data, "SpotOptions")] == ["one-time"]


def test_the_first_start_runs_the_script_and_stops_by_itself_if_that_fails(template, tmp_path):
    text = template["Resources"]["Machine"]["Properties"]["UserData"]["Fn::Base64"][1]
    lines = text.splitlines()
    assert lines[1].startswith("shutdown -h +")
    assert lines[-1] == "bash $from/cloud/start.sh"
    file = tmp_path / "user-data.sh"
    file.write_text(re.sub(r"\$\{(\w+)\}", r"the-\1", text))
    checked(tool("shellcheck"), str(file))
    settings = re.findall(r"(GAN_\w+)=\"\$\{(\w+)\}\"", text)
    assert {parameter for _, parameter in settings} <= template["Parameters"].keys()
    for name, _ in settings:
        assert f"${{{name}:-" in START.read_text(), f"start.sh does not read {name}"
