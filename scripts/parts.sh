# Runs the parts of a script one after the other. Sourced by scripts/test and scripts/test-deploy.
#
# The script sets `all`, the names of its parts in their order, and defines `part_NAME` for each. It
# may replace these functions:
#   group NAME   prints the parts that NAME is short for; fails for any other name
#   needs NAME   prints the parts that have to pass before NAME; they run even if nobody chose them
#   part NAME    runs a part; `part_NAME` by default
# It then calls, in this order:
#   choose_parts [NAME…]   sets `chosen` to these parts, or to all; ends with 2 at an unknown name
#   run_parts              runs them and prints a table; `failed` and `left_out` stay empty if no
#                          part was
#
# A part ends with `cannot` if it cannot run here. With CI=true that is a failure.
# shellcheck shell=bash

cannot_run=75
all=()
chosen=()
failed=
left_out=

say() { printf '\n== %s\n' "$*" >&2; }
note() { printf 'scripts/%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { note "$*"; exit 2; }
cannot() { note "$*"; exit "$cannot_run"; }

group() { return 1; }
needs() { :; }
part() { "part_$1"; }

# contains NAME LIST…: is it a word of one of these lists?
contains() {
    local name=$1
    shift
    [[ " $* " == *" $name "* ]]
}

choose_parts() {
    local name
    chosen=()
    for name in "$@"; do
        if contains "$name" "${all[@]}"; then
            chosen+=("$name")
        # All in one word, since lists are looked through as text.
        elif ! chosen+=("$(group "$name")"); then
            die "there is no part '$name'; parts are ${all[*]}"
        fi
    done
    [ $# -gt 0 ] || chosen=("${all[@]}")
}

# Sets `status` to how a command ends in a process of its own, in which the first failing command
# ends it. `if` or `||` would switch that off, so the status is taken afterwards.
attempt() {
    set +e
    (
        set -e
        "$@"
    ) </dev/null
    status=$?
    set -e
}

# attempt_part PART LOST: runs it, unless a part that it needs is among the lost ones.
attempt_part() {
    local need
    for need in $(needs "$1"); do
        if contains "$need" "$2"; then
            attempt cannot "$1 needs $need, which did not pass"
            return
        fi
    done
    attempt part "$1"
}

run_parts() {
    local part status result start wanted="${chosen[*]}" lost='' results=()
    for part in $wanted; do wanted+=" $(needs "$part")"; done
    for part in "${all[@]}"; do
        contains "$part" "$wanted" || continue
        start=$SECONDS
        say "$part"
        attempt_part "$part" "$lost"
        # shellcheck disable=SC2034 # `left_out` is for the script that sources this.
        case $status:${CI-} in
            0:*) result=passed ;;
            "$cannot_run":true) result='FAILED (cannot run here)' failed=1 ;;
            "$cannot_run":*) result='NOT RUN' left_out=1 ;;
            *) result=FAILED failed=1 ;;
        esac
        [ "$status" = 0 ] || lost+=" $part"
        results+=("$(printf '%-9s %4d s  %s' "$part" $((SECONDS - start)) "$result")")
        note "$part: $result"
    done
    say "$([ -z "$failed" ] && echo passed || echo FAILED) after $SECONDS s"
    printf '%s\n' "${results[@]}" >&2
}
