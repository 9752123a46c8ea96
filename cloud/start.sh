#!/usr/bin/env bash
# Make a fresh machine (Ubuntu 24.04 or Debian 12, with or without a GPU) ready for the lessons:
# the guard that stops it when it idles, the disk that survives, the environment, JupyterLab.
#
#   sudo GAN_REPOSITORY=https://… bash cloud/start.sh
#
# cloud/ec2.yaml runs it on a machine's first start; running it again does what is still to do.
# JupyterLab listens on 127.0.0.1 alone; see docs/ec2.md for the tunnel. Settings, by environment:
#   GAN_REPOSITORY   what to clone; default: where this script was cloned from
#   GAN_BRANCH       which branch or tag of it; default: main
#   GAN_USER         who works here; default: ubuntu
#   GAN_DISK         where the disk that survives is mounted; default: /data
#   GAN_DISK_WAIT    seconds to wait for that disk; 0: there is none, use a folder; default: 300
#   GAN_IDLE_MINUTES so long nothing may run before the machine stops; default: 60
#   DRY_RUN=1        say what would be done, and do nothing
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
branch=${GAN_BRANCH:-main}
user=${GAN_USER:-ubuntu}
disk=${GAN_DISK:-/data}
wait=${GAN_DISK_WAIT:-300}
idle=${GAN_IDLE_MINUTES:-60}
course=$disk/gan-notebooks
port=8888

say() { printf '==> %s\n' "$*"; }

run() {
    if [ -n "${DRY_RUN:-}" ]; then printf 'would run: %s\n' "$*"; else "$@"; fi
}

as_user() { run runuser -u "$user" -- env HOME="$(home)" "$@"; }

home() { getent passwd "$user" | cut -d: -f6; }

write() { # write FILE, from standard input
    if [ -n "${DRY_RUN:-}" ]; then
        printf 'would write %s:\n' "$1"
        sed 's/^/    /'
    else
        mkdir -p "$(dirname "$1")"
        cat >"$1"
    fi
}

# First of all, so that a machine on which the rest fails stops by itself too.
install_guard() {
    say "the guard: stops this machine when nothing has run for $idle minutes"
    run install -D -m 755 "$here/cloud/guard.py" /usr/local/lib/gan-notebooks/guard.py
    write /etc/systemd/system/gan-guard.service <<END
[Unit]
Description=Stop this machine if nothing has run for $idle minutes

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /usr/local/lib/gan-notebooks/guard.py --minutes $idle --user $user
END
    write /etc/systemd/system/gan-guard.timer <<'END'
[Unit]
Description=Look every five minutes whether anything runs

[Timer]
OnBootSec=5min
OnUnitActiveSec=5min

[Install]
WantedBy=timers.target
END
    run systemctl daemon-reload
    run systemctl enable --now gan-guard.timer
    run shutdown -c || true # cloud/ec2.yaml's own guard for the first minutes
}

install_packages() {
    say "packages of the system"
    export DEBIAN_FRONTEND=noninteractive
    run apt-get update -qq
    run apt-get install -y -qq --no-install-recommends git make python3 python3-venv ca-certificates
}

# The volume that survives: the disk with our label, else an additional one that is empty. A disk
# with anything on it is never formatted.
find_disk() {
    local found one
    if found=$(blkid -L gan-data 2>/dev/null); then
        printf '%s\n' "$found"
        return
    fi
    for one in ${GAN_CANDIDATES:-/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol*}; do
        case $one in *-part* | *_1) continue ;; esac # partitions; second names of the same disk
        [ -e "$one" ] || continue
        one=$(readlink -f "$one")
        if [ "$(lsblk -nro NAME "$one" | wc -l)" = 1 ] && ! blkid -p "$one" >/dev/null 2>&1; then
            printf '%s\n' "$one"
            return
        fi
    done
    return 1
}

mount_disk() {
    local device='' waited=0
    if mountpoint -q "$disk"; then return; fi
    if [ "$wait" = 0 ]; then
        say "no further disk: $disk is a folder of this one"
        run mkdir -p "$disk"
        return
    fi
    say "the disk that survives, at $disk"
    if [ -n "${DRY_RUN:-}" ]; then
        printf 'would find, format if it is empty, and mount the disk gan-data\n'
        return
    fi
    until device=$(find_disk); do
        if [ "$waited" -ge "$wait" ]; then
            say "no disk with the label gan-data and no empty one came within $wait seconds" >&2
            exit 1
        fi
        sleep 5
        waited=$((waited + 5))
    done
    blkid -L gan-data >/dev/null || mkfs.ext4 -q -L gan-data "$device"
    mkdir -p "$disk"
    grep -q '^LABEL=gan-data ' /etc/fstab ||
        printf 'LABEL=gan-data %s ext4 defaults,nofail 0 2\n' "$disk" >>/etc/fstab
    mount "$disk"
}

fetch_course() {
    local from=${GAN_REPOSITORY:-$(git -C "$here" remote get-url origin 2>/dev/null || printf '%s' "$here")}
    say "the lessons, in $course"
    run chown "$user:" "$disk"
    if [ -d "$course/.git" ]; then
        say "they are there already; left as they are"
    else
        as_user git clone --quiet --depth=1 --branch "$branch" "$from" "$course"
    fi
    as_user make -C "$course" env
    if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then
        say "CUDA's libraries for the TensorFlow that is there"
        # shellcheck disable=SC2016  # for the inner shell to expand
        as_user sh -c '"$1" -m pip install --quiet "tensorflow[and-cuda]==$("$1" -c \
            "import importlib.metadata as m; print(m.version(\"tensorflow\"))")"' sh "$course/.venv/bin/python"
    fi
}

install_lab() {
    say "JupyterLab, for this machine alone, on port $port"
    write /etc/systemd/system/gan-lab.service <<END
[Unit]
Description=JupyterLab with the lessons, reached through a tunnel
RequiresMountsFor=$disk

[Service]
User=$user
WorkingDirectory=$course
Environment=JUPYTER_PREFER_ENV_PATH=1
ExecStart=$course/.venv/bin/python -m jupyterlab --no-browser --ip=127.0.0.1 --port=$port --ServerApp.port_retries=0
Restart=on-failure
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
END
    run systemctl daemon-reload
    run systemctl enable --now gan-lab.service
}

if [ "$(id -u)" != 0 ] && [ -z "${DRY_RUN:-}" ]; then
    echo "start.sh: run it as root (sudo bash cloud/start.sh)" >&2
    exit 1
fi
if ! getent passwd "$user" >/dev/null; then
    echo "start.sh: there is no user $user; name one: GAN_USER=…" >&2
    exit 1
fi
install_guard
install_packages
mount_disk
fetch_course
install_lab
say "ready; the address with its token: sudo -u $user $course/.venv/bin/jupyter server list"
