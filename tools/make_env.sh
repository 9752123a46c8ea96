#!/bin/sh
# Make an environment, or bring it up to date:
#
#   sh tools/make_env.sh FOLDER -r requirements.txt [more arguments for pip install]
#
# PYTHON names the interpreter to make it with; without it the first suitable one of
# python3.13, 3.12, 3.11, 3.10 and python3 is taken. GAN_PYTHONS="3.11 3.10" narrows that.
set -eu

folder=$1
shift
py=$folder/bin/python
wanted=${GAN_PYTHONS:-3.13 3.12 3.11 3.10}

say() { printf '==> %s\n' "$*"; }

# Prints nothing if the interpreter can make the environment, and otherwise says why not.
objection() {
    "$1" - $wanted 2>/dev/null <<'PY' || echo "$1 does not run"
import platform, sys
version = "%d.%d" % sys.version_info[:2]
missing = []
for module in ("venv", "ensurepip"):
    try:
        __import__(module)
    except ImportError:
        missing.append(module)
if version not in sys.argv[1:]:
    print("%s is Python %s" % (sys.executable, version))
elif missing:
    print("%s (Python %s) lacks %s; Debian and Ubuntu: sudo apt install python%s-venv"
          % (sys.executable, version, " and ".join(missing), version))
elif platform.system() == "Darwin" and platform.machine() == "x86_64":
    print("%s is built for Intel Macs, for which TensorFlow ends at 2.16 (see README.md); "
          "on Apple silicon install a native (arm64) Python" % sys.executable)
elif sys.maxsize < 2**32:
    print("%s is a 32-bit program; TensorFlow needs a 64-bit Python" % sys.executable)
PY
}

find_python() {
    reasons=
    for candidate in ${PYTHON:-$(printf 'python%s ' $wanted) python3}; do
        if [ -n "${PYTHON:-}" ] || command -v "$candidate" >/dev/null 2>&1; then
            reason=$(objection "$candidate")
            if [ -z "$reason" ]; then
                found=$candidate
                return
            fi
            reasons="$reasons
    $reason"
        fi
    done
    cat >&2 <<END
No suitable Python found. These lessons need one of: Python $wanted.
Tried:${reasons:- nothing, there is no python3 at all}
How to get one:
    Debian, Ubuntu   sudo apt install python3 python3-venv
    Fedora           sudo dnf install python3.12
    macOS            brew install python@3.12    (or from python.org)
Then type the same again, or name the interpreter: make lab PYTHON=/path/to/python3.12
END
    exit 1
}

if "$py" -m pip --version >/dev/null 2>&1; then
    say "bringing the environment in $folder up to date"
else
    find_python
    say "making an environment in $folder with $("$found" --version) ($(command -v "$found"))"
    rm -rf "$folder"
    "$found" -m venv "$folder"
fi

size=
case " $* " in *" requirements.txt "*) size="   (first time: some 850 MB to download, 2.5 GB on disk)" ;; esac
quiet=--quiet # without a terminal, where a progress bar would be no help
[ ! -t 2 ] || quiet=

# uv installs the same packages in a fraction of pip's time; pip does it where uv is not to be had.
installed=
if "$py" -m uv --version >/dev/null 2>&1 ||
    "$py" -m pip install --quiet --disable-pip-version-check uv >/dev/null 2>&1; then
    index=${PIP_INDEX_URL:-$("$py" -m pip config get global.index-url 2>/dev/null || true)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    say "installing with uv: $*$size"
    if "$py" -m uv pip install $quiet --python "$py" "$@"; then
        installed=yes
    else
        say "uv did not manage; trying once more with pip"
    fi
fi
if [ -z "$installed" ]; then
    say "installing with pip: $*   (this takes minutes)"
    "$py" -m pip install $quiet --disable-pip-version-check "$@"
fi

# No question about news on JupyterLab's first start.
mkdir -p "$folder/etc/jupyter/labconfig"
echo '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}' \
    >"$folder/etc/jupyter/labconfig/page_config.json"

if ! TF_CPP_MIN_LOG_LEVEL=3 "$py" - 2>"$folder/first-start.log" <<'PY'
import importlib.util, platform
ready = "==> ready: Python %s" % platform.python_version()
if importlib.util.find_spec("tensorflow"):  # not in the environments for grading and for the site
    import keras, tensorflow
    ready += ", TensorFlow %s, Keras %s" % (tensorflow.__version__, keras.__version__)
print(ready)
PY
then
    cat "$folder/first-start.log" >&2
    echo "The packages are installed, but TensorFlow does not start on this machine (above: its" >&2
    echo "last words). It needs a processor with AVX and, on Linux, glibc 2.27 or newer." >&2
    exit 1
fi
