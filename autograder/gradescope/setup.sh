#!/usr/bin/env bash
# Gradescope runs this once, as root, when the image is built. Ubuntu 22.04 or newer, Debian 12 or
# newer. It ends with exit code 0 only if the image has graded a submission.

# Where pip finds torch. Empty: the default index of the machine, whose torch for Linux may bring
# several GB of CUDA along. pytorch.org names an index of CPU wheels (Get Started, platform CPU).
TORCH_INDEX="${TORCH_INDEX:-}"

set -Eeuo pipefail
export DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")"

step=start
say() { step="$*"; echo "==== $(date -u +%T) $*"; }
trap 'echo "==== FAILED at: $step (setup.sh, line $LINENO)" >&2' ERR

retry() {  # run a command up to four times
    local pause
    for pause in 5 20 60; do
        "$@" && return
        echo "---- failed, again in $pause s: $*" >&2
        sleep "$pause"
    done
    "$@"
}

say "check that we are root"
test "$(id -u)" -eq 0

pip() { venv/bin/python -m pip --no-input --disable-pip-version-check "$@"; }

rm -rf venv
if test -n "${AUTOGRADER_VENV:-}"; then
    say "use the packages of $AUTOGRADER_VENV"  # a rehearsal, where installing them takes too long
    ln -s "$AUTOGRADER_VENV" venv
else
    say "install Python and libseccomp (for pyseccomp) from the distribution"
    retry apt-get update -q
    retry apt-get install -q -y --no-install-recommends \
        python3 python3-venv libseccomp2 ca-certificates
    rm -rf /var/lib/apt/lists/*

    say "choose a Python from 3.10 to 3.14"
    usable='import ensurepip, sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))'
    found=
    for candidate in python3.11 python3.12 python3.13 python3.14 python3.10 python3; do
        if "$candidate" -c "$usable" 2>/dev/null; then found="$candidate"; break; fi
    done
    test -n "$found"
    "$found" --version

    say "install the pinned packages"
    "$found" -m venv venv
    retry pip install -q --no-cache-dir -r requirements.txt
    retry pip install -q --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
        -r requirements-torch.txt
    pip list
fi

say "lock the files"
# No account has to be made for grading. Every check runs under a numeric uid that no account has
# (autograder/engine/sandbox/places.py): no home, no shell, no group, and no file that belongs to it.
chown -R -h root:root .
chmod -R u=rwX,go=rX .
chmod -R go= autograder/assignment/references autograder/gradescope
chmod 755 setup.sh run_autograder

say "grade the starter with one function written, as for a student"
venv/bin/python -m compileall -q autograder
venv/bin/python -m autograder.gradescope.selfcheck

say "done: $(du -sh . | cut -f1) in $PWD"
