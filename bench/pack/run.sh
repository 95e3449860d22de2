#!/bin/sh
# Runs the benchmarks: ./run.sh [quick|short|long] [webasm] [webgpu]
here=$(cd "$(dirname "$0")" && pwd) || exit 1
# Libraries of the system where it has them: graphics drivers may need newer ones than those that are packed.
if ! "$here/bin/node" --version >/dev/null 2>&1; then
  LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  export LD_LIBRARY_PATH
fi
exec "$here/bin/node" "$here/benchmark/bench/all.mjs" "$@"
