# shellcheck shell=bash
# What the parts of `run` have in common. Not a program.

: "${here:?}" "${built:?}" "${module:?}"

# A part returns this when it cannot run here.
cannot_run=75

note() { printf '%s\n' "tests/deploy/terraform/run: $*" >&2; }
cannot() {
    note "$*"
    return "$cannot_run"
}

ok() { printf 'ok - %s\n' "$*"; }
not_ok() { printf 'not ok - %s\n' "$*"; }

# check NAME COMMAND…: a case that is fine when the command succeeds; its output is shown only if it
# does not.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        ok "$name"
    else
        not_ok "$name"
        printf '%s\n' "$output" | sed 's/^/    /'
        return 1
    fi
}

# The stub's framework and the locks want Python 3.11 or later.
find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$name"
            return
        fi
    done
    cannot "needs Python 3.11 or later with venv and ensurepip; on Debian or Ubuntu: apt-get install python3 python3-venv"
}

# venv NAME: an environment of what requirements-NAME.txt locks, in $built/venv-NAME. Done at once
# when nothing changed: the copy of the lock in it says what is installed.
venv() {
    local place=$built/venv-$1 lock=$here/requirements-$1.txt python
    if [ -x "$place/bin/python" ] && cmp -s "$lock" "$place/installed.txt"; then return; fi
    python=$(find_python) || return
    note "installing requirements-$1.txt"
    rm -rf "$place"
    "$python" -m venv "$place"
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement "$lock" || return
    "$place/bin/python" -m pip check --disable-pip-version-check >&2 || return
    cp "$lock" "$place/installed.txt"
}

# unpacked NAME: the directory with the one wheel that requirements-NAME.txt locks. Says nothing
# where the platform has none.
unpacked() {
    local place=$built/wheel-$1 lock=$here/requirements-$1.txt
    venv stub || return
    if ! cmp -s "$lock" "$place/installed.txt"; then
        rm -rf "$place"
        "$built/venv-stub/bin/python" -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
            --dest "$place" --requirement "$lock" >&2 || return
        cp "$lock" "$place/installed.txt"
    fi
    printf '%s\n' "$place"
}

# What Terraform sees of the caller's machine: nothing of its settings, its tokens and its plugins,
# and no network.
find_terraform() {
    local name
    command -v terraform >/dev/null || {
        cannot "needs Terraform 1.9 or later on PATH, and no package registry that is used here has it: install it from its makers"
        return
    }
    for name in $(compgen -e | grep '^\(TF_\|AWS_\)'); do unset "$name"; done
    mkdir -p "$built/no-providers"
    export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_CLI_CONFIG_FILE=$built/terraformrc AWS_EC2_METADATA_DISABLED=true
    mirror "$built/no-providers"
    terraform version -json | python3 -c '
import json, sys
sys.exit([int(part) for part in json.load(sys.stdin)["terraform_version"].split("-")[0].split(".")[:2]] < [1, 9])' \
        || cannot "needs Terraform 1.9 or later, and $(command -v terraform) is older"
}

# Where `terraform init` finds providers, and the only place.
mirror() { printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$1" >"$TF_CLI_CONFIG_FILE"; }

# A copy of the module, so that no state and no plugin of a test gets into the sources, and none of
# the caller's into the test.
copy_of_module() {
    rm -rf "$1"
    mkdir -p "$1"
    tar -C "$module" --exclude=.terraform --exclude='.terraform.lock.hcl' --exclude='*.tfstate*' -cf - . | tar -C "$1" -xf -
}

# wait_for PID COMMAND…: until the command succeeds; fails when the process ends before.
wait_for() {
    local pid=$1 tries=600
    shift
    until "$@" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || return 1
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}
