#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Reads the code without running it, by clang-tidy (.clang-tidy says which checks), cppcheck and
# include-what-you-use. Prints a line for each that finds nothing; ends with failure if any finds
# something, or is not there.
#
# g++'s -fanalyzer is not among them. That of g++ 12 takes operator new for a function that returns
# null, and what is returned by value for uninitialized, and found nothing else in src/.
#
# Usage: run.sh [--all]
#   --all   also a program that instantiates the templates, the includes of src/, and all once more
#           without checks: minutes more
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/reading
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"

everything=false
[[ ${1-} == --all ]] && everything=true
failed=0

# Runs the command that follows the name $1, whose output is of interest only if it fails.
reads() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>"$work/errors"; then
        echo "ok reading: $name"
    else
        cat "$work/log" "$work/errors" >&2
        echo "not ok reading: $name" >&2
        failed=1
    fi
}

# Makes headers as for a build with the options that follow, and says how the code is compiled then.
configure() {
    rm -rf "$work/build"
    meson setup "$work/build" -Dtests=disabled -Dbenchmarks=disabled -Dboost=disabled "$@" >/dev/null
    flags=(-std=c++20 "-I$work/build/include" "-I$root/include" "-I$root/src" "-I$root/tests")
    [[ -e /usr/include/numaif.h ]] && flags+=(-DFASTALLOC_NUMA)
    return 0
}

# Writes a translation unit, $1, that includes the other arguments.
unit() {
    printf '#include "%s"\n' "${@:2}" >"$1"
}

tidy() {
    clang-tidy --quiet --config-file="$root/.clang-tidy" "--checks=-bugprone-suspicious-include" \
        "$1" -- "${flags[@]}"
}

find_misuse() {
    cppcheck --quiet --std=c++20 --language=c++ --error-exitcode=1 \
        --enable=warning,style,performance,portability \
        "--suppressions-list=$here/cppcheck.txt" --template='{file}:{line}: {id}: {message}' \
        -Iinclude -Isrc include src
}

# Reading the headers of the standard library takes longest. So the sources are read as few units: one,
# and another for those that have names of their own for what the first has.
mapfile -t sources < <(find "$root/src" -name '*.cpp' ! -name '*_text.cpp' | sort)
mapfile -t texts < <(find "$root/src" -name '*_text.cpp' | sort)
headers=("$root/include/fastalloc/fastalloc.hpp")
[[ -e /usr/include/boost/container/pmr/memory_resource.hpp ]] &&
    headers+=("$root/include/fastalloc/boost/bridge.hpp")
unit "$work/sources.cpp" "${sources[@]}"
unit "$work/texts.cpp" "${texts[@]}"
unit "$work/headers.cpp" "${headers[@]}"

read_by_clang_tidy() {
    reads "clang-tidy of headers, $1" tidy "$work/headers.cpp"
    reads "clang-tidy of sources, $1" tidy "$work/sources.cpp"
    reads "clang-tidy of sources that write text, $1" tidy "$work/texts.cpp"
}

# With all checks, because code that is discarded is not read.
configure -Dchecks=full -Dfill=true
read_by_clang_tidy "all checks"
reads "cppcheck" find_misuse
reads "includes of headers" "$here/includes.py" "$work/headers.cpp" -- "${flags[@]}"
if $everything; then
    reads "includes of sources" "$here/includes.py" "${sources[@]}" "${texts[@]}" -- "${flags[@]}"
    reads "clang-tidy of a program, all checks" tidy "$root/tests/checks/detection.cpp"
    configure
    read_by_clang_tidy "no checks"
    reads "clang-tidy of a program, no checks" tidy "$root/tests/cost/hot_path.cpp"
fi
exit "$failed"
