#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Uses the library as other projects do: as a Meson subproject, and installed, found by pkg-config
# and by CMake. Prints a line for each step that went well; ends with failure at the first other.
#
# Usage: run.sh ROOT
set -euo pipefail

root=$(cd "$1" && pwd)
consumer=$root/tests/consumer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ok() { echo "ok consumer: $*"; }
fail() {
    echo "not ok consumer: $*" >&2
    exit 1
}

# Runs a command whose output is of interest only if it fails.
quietly() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "$*"
    }
}

# Ends with failure unless the file $2 is empty.
none() {
    [[ ! -s $2 ]] || {
        cat "$2" >&2
        fail "$1"
    }
}

# Prints the arguments with which the file main.cpp is compiled in build folder $1, one in a line.
flags_of_main() {
    python3 - "$1" <<'PYTHON'
import json, shlex, sys
for unit in json.load(open(sys.argv[1] + "/compile_commands.json")):
    if unit["file"].endswith("main.cpp"):
        print(*shlex.split(unit["command"])[1:], sep="\n")
PYTHON
}

# As a Meson subproject -----------------------------------------------------------------------------

project=$work/with/project
mkdir -p "$project/subprojects/fastalloc"
cp "$consumer/main.cpp" "$consumer/meson.build" "$project"
# What is under version control, or would be: no build folders.
git -C "$root" ls-files -z --cached --others --exclude-standard |
    (cd "$root" && while IFS= read -r -d '' file; do
        [[ ! -f $file ]] || printf '%s\0' "$file"
    done | tar --create --null --files-from=-) |
    tar --extract --directory "$project/subprojects/fastalloc"

quietly meson setup "$work/with/build" "$project" -Dforce_fallback_for=fastalloc
quietly meson compile -C "$work/with/build"
quietly "$work/with/build/consumer"
ok "runs with the library as a subproject"

python3 - "$work/with/build" >"$work/extra" <<'PYTHON'
import json, sys
info = sys.argv[1] + "/meson-info/intro-"
for target in json.load(open(info + "targets.json")):
    if target["name"] not in ("consumer", "fastalloc"):
        print("target", target["name"])
for kind in ("tests", "benchmarks"):
    for test in json.load(open(info + kind + ".json")):
        print(kind, test["name"])
PYTHON
none "the subproject builds more than the library" "$work/extra"
ok "no test and no benchmark of the subproject is built"

DESTDIR=$work/dest quietly meson install --no-rebuild -C "$work/with/build"
(cd "$work/dest" && find . -type f -o -type l) | grep -v '/bin/consumer$' >"$work/extra" || true
none "the subproject installs files" "$work/extra"
quietly "$(find "$work/dest" -name consumer -type f)"
ok "only the consumer is installed, and runs"

# The same project without the library shows which flags are the consumer's own.
mkdir -p "$work/without/project"
cp "$consumer/main.cpp" "$work/without/project"
sed '/dependency(/d; /dependencies:/d' "$consumer/meson.build" \
    >"$work/without/project/meson.build"
quietly meson setup "$work/without/build" "$work/without/project"
flags_of_main "$work/without/build" | sort >"$work/own"
flags_of_main "$work/with/build" | sort >"$work/all"
[[ -s $work/own && -s $work/all ]] || fail "the flags of the consumer are not found"
comm -3 "$work/own" "$work/all" |
    grep -vxE $'\t-I(\.\./project/)?subprojects/fastalloc/include' >"$work/extra" || true
none "the consumer is compiled with other flags than its own" "$work/extra"
ok "no compile flag leaks into the consumer"

# Installed -----------------------------------------------------------------------------------------

prefix=$work/prefix
quietly meson setup "$work/lib" "$root" --prefix "$prefix" -Ddefault_library=both \
    -Dtests=disabled -Dbenchmarks=disabled -Dboost=disabled
quietly meson install -C "$work/lib"
library=$(find "$prefix" -name libfastalloc.so)
libdir=$(dirname "$library")
export PKG_CONFIG_PATH=$libdir/pkgconfig
ok "is installed, shared and static"

# Builds the consumer as $1 with the flags that follow, and runs it.
build_and_run() {
    local program=$work/$1
    quietly g++ -std=c++20 -Wall -Wextra -Werror "$consumer/main.cpp" -o "$program" "${@:2}"
    LD_LIBRARY_PATH=$libdir quietly "$program"
}
# What pkg-config prints is to be split into words.
# shellcheck disable=SC2046
build_and_run shared $(pkg-config --cflags --libs fastalloc)
readelf --dynamic "$work/shared" | grep -q 'NEEDED.*\[libfastalloc\.so\.0\]' ||
    fail "the consumer does not use the shared library"
ok "pkg-config: runs with the shared library"
# shellcheck disable=SC2046
build_and_run static -static $(pkg-config --static --cflags --libs fastalloc)
# shellcheck disable=SC2046
build_and_run archive $(pkg-config --cflags fastalloc) -L"$libdir" -l:libfastalloc.a
ok "pkg-config: runs with the static library"

mkdir "$work/cmake"
quietly cmake -G Ninja -S "$consumer" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix"
quietly cmake --build "$work/cmake"
quietly "$work/cmake/consumer"
ok "CMake: runs with the package that find_package finds"

gdb --batch -nx -iex "set auto-load scripts-directory $prefix/share/gdb/auto-load" \
    -iex "add-auto-load-safe-path $prefix" -ex 'info pretty-printer . fastalloc' "$library" \
    >"$work/printers" 2>&1
grep -q basic_growing_pool_resource "$work/printers" || {
    cat "$work/printers" >&2
    fail "gdb does not load the printers with the library"
}
ok "gdb loads the printers with the library"

# Templates of std with our types in them are weak; every program has its own.
nm --dynamic --defined-only --demangle "$library" |
    sed -E 's/^[0-9a-f]+ //; s/ (vtable|typeinfo|typeinfo name|VTT|guard variable) for / /' \
        >"$work/exports"
grep -q ' fastalloc::' "$work/exports" || fail "the library exports nothing"
# A template function shows its return type first: the last name before the arguments counts.
grep -vE '^[A-Za-z] ([^(]* )?fastalloc::' "$work/exports" |
    grep -vE '^[VWu] .*std::' >"$work/extra" || true
none "the library exports names that are not its own" "$work/extra"
readelf --dynamic "$library" | grep -q 'SONAME.*\[libfastalloc\.so\.0\]' || fail "wrong soname"
ok "exports its own names only: $(grep -c ' fastalloc::' "$work/exports")," \
    "and $(grep -cv ' fastalloc::' "$work/exports") weak ones of std"

sed -nE "s/^ *'(.*\.hpp)',?$/\1/p" "$root/include/fastalloc/meson.build" | sort >"$work/listed"
(cd "$prefix/include/fastalloc" && find . -type f -printf '%P\n') | sort >"$work/there"
[[ -s $work/listed ]] || fail "no list of headers is found"
comm -23 "$work/listed" "$work/there" >"$work/extra"
none "headers are not installed" "$work/extra"
grep -v '\.hpp$' "$work/there" >"$work/extra" || true
none "other files than headers are installed" "$work/extra"
ok "$(wc -l <"$work/there") headers are installed, and nothing beside them"
