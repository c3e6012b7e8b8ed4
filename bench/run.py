"""`make bench [ONLY=bench_page]`: runs the benchmarks, each in a process of its own, and gathers their ratios.

A benchmark is a file bench_*.py beside this one. It prints its table and, as its last line, `RATIO <its name> <value>`:
the time of the product over the time of a floor measured in the same run. Absolute figures depend on the machine.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RATIO = re.compile(r"^RATIO (\w+) (\d+(?:\.\d+)?)$")


def run(path: Path) -> str:
    """Runs one benchmark, showing what it says; gives its ratio, or an empty text if it failed."""
    print(f"--- {path.stem}", flush=True)
    last = ""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    with subprocess.Popen(
        [sys.executable, str(path)], cwd=HERE.parent, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            last = line.strip() or last
    found = RATIO.match(last)
    return found[2] if process.returncode == 0 and found and found[1] == path.stem else ""


def main() -> int:
    wanted = sys.argv[1:]
    there = {path.stem: path for path in sorted(HERE.glob("bench_*.py"))}
    unknown = [name for name in wanted if name not in there]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(there) or 'none'}", file=sys.stderr)
        return 2
    ratios = {name: run(there[name]) for name in wanted or there}
    if len(ratios) > 1:
        print()
        for name, ratio in ratios.items():
            print(f"{name:24} {ratio or 'FAILED'}")
    return 0 if all(ratios.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
