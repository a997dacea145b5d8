# What the scripts that make packages share: zig brings the linker and the old glibc that packages for Linux
# promise, so that one machine builds for both processors.

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
release_tools=$CARGO_TARGET_DIR/bindings/release

say() {
    echo "${0##*/}: $*"
}

die() {
    say "$*" >&2
    exit 1
}

# Installs the tools that scripts/tools/release.txt names, once for each state of it, and puts them first.
prepare() {
    local pins=scripts/tools/release.txt python=python3 programs=bin
    if [[ ${OS:-} == Windows_NT ]]; then
        python=python programs=Scripts
    fi
    if ! cmp -s "$pins" "$release_tools/pins"; then
        "$python" -m venv --clear "$release_tools" || die "Python's venv is missing"
        "$release_tools/$programs/python" -m pip install -q --disable-pip-version-check -r "$pins" \
            || die "pip could not install what $pins names"
        cp "$pins" "$release_tools/pins"
    fi
    PATH=$release_tools/$programs:$PATH
}

# linux_target PROCESSOR: Rust's name of the target, whose library is there then.
linux_target() {
    local target=$1-unknown-linux-gnu
    rustup target list --installed | grep -qx "$target" || rustup target add "$target" >&2 \
        || die "rustup could not fetch the library for $target"
    echo "$target"
}
