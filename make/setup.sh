#!/bin/sh
# Prepares .venv from requirements.lock, or does nothing where it is ready. Uses the network only to install.
# PYTHON names the Python to use; without it the first one on PATH that will do is taken.
set -eu
cd "$(dirname "$0")/.."

OLDEST=11 # of Python 3
NEWEST=13
VENV=.venv
STAMP=$VENV/sf-sync.stamp
UNFINISHED=$VENV/sf-sync.unfinished

fail() {
    echo "setup: $*" >&2
    exit 1
}

# "ready", or what is wrong with a Python; nothing where it doesn't even run.
ask() {
    "$1" - 2>/dev/null <<PROGRAM || true
import sys
version = "is Python %d.%d.%d" % sys.version_info[:3]
if not (3, $OLDEST) <= sys.version_info[:2] <= (3, $NEWEST):
    print(version)
else:
    try:
        import ensurepip, venv
        print("ready")
    except ImportError as error:
        package = "python3.%d-venv" % sys.version_info[1]
        print(version, "without its module", error.name, "(Debian and Ubuntu have it in the package %s)" % package)
PROGRAM
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3.13 python3.12 python3.11 python3
    fi
    reasons=
    for candidate; do
        if ! found=$(command -v "$candidate"); then
            [ -z "${PYTHON:-}" ] || reasons=", and $candidate is not there"
            continue
        fi
        answer=$(ask "$found")
        [ "$answer" != ready ] || return 0
        reasons="$reasons, and $candidate ${answer:-does not run}"
    done
    fail "Python 3.$OLDEST to 3.$NEWEST with its venv module is needed${reasons:-, and there is no python3};" \
        "install one, or name it: make setup PYTHON=/path/to/python3.$NEWEST"
}

# What the environment was made from, below the folder that its scripts name.
inputs() {
    pwd
    echo "$(venv_version) $(cksum <requirements.lock) $(cksum <pyproject.toml)"
}

venv_version() {
    "$VENV/bin/python" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo none
}

wanted_version() {
    "$PYTHON" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo unknown
}

# A package index that pip was told to use is meant for every installer; uv doesn't read pip's files.
pip_index() {
    for key in :env:.index-url global.index-url install.index-url; do
        "$VENV/bin/python" -m pip config get "$key" 2>/dev/null && return
    done
    return 0
}

version=$(venv_version)
case $version in
3.1[123].*) ;;
*) version=none ;;
esac
# The system's Python became another one, or the checkout was moved.
if [ ! -d "$VENV/lib/python${version%.*}" ]; then
    version=none
fi
for record in $STAMP $UNFINISHED; do
    [ ! -e "$record" ] || [ "$(head -n 1 "$record")" = "$(pwd)" ] || version=none
done
if [ -n "${PYTHON:-}" ] && [ "$version" != "$(wanted_version)" ]; then
    version=none
fi
if [ "$version" != none ] && [ -e $STAMP ] && [ "$(cat $STAMP)" = "$(inputs)" ]; then
    exit 0
fi

uv_version() {
    "$VENV/bin/uv" --version 2>/dev/null | cut -d' ' -f2
}
uv_wanted=$(sed -n 's/^uv==\([^ ;]*\).*/\1/p' requirements.lock)

# An environment without either file was broken off while it was made, unless someone made it with uv.
is_whole() {
    [ -e $STAMP ] || [ -e $UNFINISHED ] || [ "$(uv_version)" = "$uv_wanted" ]
}

if [ "$version" = none ] || ! is_whole; then
    find_python
    rm -rf $VENV
    said=$("$found" -m venv $VENV 2>&1) || {
        rm -rf $VENV
        fail "$found could not make an environment in $VENV: $(echo "$said" | tail -n 1)"
    }
fi

rm -f $STAMP
# After a setup that was broken off, a package may look installed and lack files.
again=
[ ! -e $UNFINISHED ] || again=--reinstall
pwd >$UNFINISHED

export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 PIP_USER=0
if [ "$(uv_version)" != "$uv_wanted" ]; then
    sed -n '/^uv==/,/[^\\]$/p' requirements.lock >$VENV/uv.txt
    $VENV/bin/python -m pip install -qq --no-input --no-cache-dir --disable-pip-version-check \
        --force-reinstall --only-binary :all: --no-deps --require-hashes -r $VENV/uv.txt ||
        fail "uv could not be installed; see pip's message above. Behind a proxy or a mirror, set it up for pip first"
fi

index=$(pip_index)
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
cache=${UV_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}}
if [ -z "$cache" ] || ! mkdir -p "$cache" 2>/dev/null || [ ! -w "$cache" ]; then
    export UV_NO_CACHE=1
fi

echo "setup: installing the packages of requirements.lock into $VENV (the first time about 300 MB)"
uv() {
    $VENV/bin/uv --quiet pip install --python $VENV/bin/python $again "$@" ||
        fail "the packages could not be installed; see uv's message above, and run make setup again"
}
uv --require-hashes --no-build -r requirements.lock
uv --no-deps --offline -e .
rm -f $UNFINISHED
inputs >$STAMP
