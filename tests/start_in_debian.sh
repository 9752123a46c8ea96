#!/usr/bin/env bash
# Run cloud/start.sh in a plain Debian, twice, start its JupyterLab, and let the guard look once.
#
#   sudo bash tests/start_in_debian.sh [FOLDER]      ten minutes; needs debootstrap and the internet
#
# FOLDER holds the Debian (3 GB; default: build/debian) and can be used again. No systemd runs in
# it: units are enabled, not started, and there is no further disk and no GPU.
set -euo pipefail
root=$(realpath -m "${1:-build/debian}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
course=/opt/gan-notebooks

if [ ! -d "$root/etc" ]; then
    debootstrap --variant=minbase --include=ca-certificates,systemd bookworm "$root" http://deb.debian.org/debian
fi
# This machine's way to the internet: names, certificates, pip's settings.
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
if [ -e /etc/pip.conf ]; then cp /etc/pip.conf "$root/etc/"; fi
cat >"$root/usr/local/sbin/systemctl" <<'END'
#!/bin/sh
# Nothing can be started here: without --now.
for word; do
    shift
    [ "$word" = --now ] || set -- "$@" "$word"
done
exec /usr/bin/systemctl "$@"
END
chmod +x "$root/usr/local/sbin/systemctl"
rm -rf "${root:?}$course"
mkdir -p "$root$course"
git -C "$here" ls-files -co --exclude-standard -z | (cd "$here" && xargs -0 cp --parents -t "$root$course")
cat >"$root/usr/local/sbin/try-start" <<END
set -eu
export SYSTEMD_OFFLINE=1 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt GAN_DISK_WAIT=0
id ubuntu >/dev/null 2>&1 || useradd -m ubuntu
apt-get update -qq && apt-get install -y -qq git >/dev/null
cd $course
git init -q -b main && git add -A
git -c user.name=nobody -c user.email=nobody@localhost commit -qm all
git config --system --replace-all safe.directory '*'
bash cloud/start.sh
bash cloud/start.sh | grep 'they are there already'
systemctl is-enabled gan-guard.timer gan-lab.service
lab=\$(sed -n 's/^ExecStart=//p' /etc/systemd/system/gan-lab.service)
runuser -u ubuntu -- env HOME=/home/ubuntu sh -c "cd /data/gan-notebooks && exec \$lab" >/tmp/lab.log 2>&1 &
for second in \$(seq 300); do
    servers=\$(runuser -u ubuntu -- env HOME=/home/ubuntu /data/gan-notebooks/.venv/bin/jupyter server list)
    case \$servers in *http://127.0.0.1:8888/*) break ;; esac
    sleep 1
done
python3 /usr/local/lib/gan-notebooks/guard.py --minutes 60 --user ubuntu | grep '^idle for 0 of 60'
kill \$!
case \$servers in *http://127.0.0.1:8888/*) echo "all well: JupyterLab listens on 127.0.0.1:8888" ;; *) exit 1 ;; esac
END
exec unshare --mount bash -c "
    mount -t proc proc '$root/proc' && mount --rbind /dev '$root/dev' && mount -t tmpfs tmpfs '$root/tmp'
    exec chroot '$root' /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        bash /usr/local/sbin/try-start"
