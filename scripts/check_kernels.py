"""Reads what scripts/check-kernels.sh compiled, prints it, and compares it with the baseline.

Hot lines. A line of a kernel that ends in `// hot: NAME N` is part of the loop NAME, which handles N elements; so is
every line between `// hot: NAME N {` and `// hot }`, each on a line of its own. An instruction belongs to the loop
if a hot line is anywhere in its chain of inlined calls. Code that was inlined in several places is counted in the
place where it is longest. What counts is the machine code of a fully unrolled body, so rare paths do not belong
on hot lines.
"""

import pathlib
import re
import sys

TAG = re.compile(r"//\s*hot:\s*(\w+)\s+(\d+)\s*(\{)?\s*$")


def hot_lines():
    """{(file, line): {name: elements}}"""
    found = {}
    for path in sorted(pathlib.Path("kernels").glob("*.cu*")):
        open_tags = {}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"//\s*hot \}\s*$", line):
                open_tags = {}
                continue
            tag = TAG.search(line)
            if tag and tag[3]:
                open_tags[tag[1]] = int(tag[2])
                continue
            tags = dict(open_tags)
            if tag:
                tags[tag[1]] = int(tag[2])
            if tags:
                found[path.name, number] = tags
        if open_tags:
            sys.exit(f"{path}: `// hot: {' '.join(open_tags)}` is never closed")
    return found


def resources(log):
    """{kernel: {"registers", "stack", "spills"}} of ptxas -v; functions that are not inlined count for their kernel."""
    kernels, kernel = {}, None
    for line in log.splitlines():
        if m := re.search(r"Compiling entry function '(\w+)'", line):
            kernel = kernels.setdefault(m[1], {"registers": 0, "stack": 0, "spills": 0})
        elif kernel is None:
            continue
        elif m := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            kernel["stack"] = max(kernel["stack"], int(m[1]))
            kernel["spills"] += int(m[2]) + int(m[3])
        elif m := re.search(r"Used (\d+) registers", line):
            kernel["registers"] = int(m[1])
    return kernels


def shared_sizes(log):
    """{kernel: bytes} of the compilation in which WG_SHARED was static."""
    sizes, kernel = {}, None
    for line in log.splitlines():
        if m := re.search(r"Compiling entry function '(\w+)'", line):
            kernel = m[1]
        elif m := re.search(r"function '(\w+)' uses too much shared data \(0x([0-9a-f]+) bytes", line):
            sizes[m[1]] = int(m[2], 16)
        elif kernel and "Used" in line:
            m = re.search(r"(\d+) bytes smem", line)
            sizes[kernel] = int(m[1]) if m else 0
    return sizes


def hot_counts(sass, tags):
    """{kernel: {name: instructions per element}}, and the length of every kernel."""
    counts, lengths = {}, {}
    kernel, chain, fresh = None, [], True
    location = re.compile(r'//## File "([^"]*)", line (\d+)')
    instruction = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(.*?);")
    for line in sass.splitlines():
        if line.startswith(".text."):
            kernel = line[6:].rstrip(":")
            chain, lengths[kernel] = [], 0
        elif m := location.search(line):
            if fresh:
                chain, fresh = [], False
            chain.append((m[1].rsplit("/", 1)[-1], int(m[2])))
        elif m := instruction.match(line):
            fresh = True
            if kernel is None or m[1].strip() == "NOP":
                continue
            lengths[kernel] += 1
            for depth, place in enumerate(chain):
                for name, elements in tags.get(place, {}).items():
                    where = counts.setdefault(kernel, {}).setdefault(name, {})
                    # One inlined copy: what was called from the same chain of places. A line of a helper that is
                    # itself inside a hot line of the same loop is counted there.
                    if any(name in tags.get(p, {}) for p in chain[depth + 1 :]):
                        continue
                    copy = tuple(chain[depth + 1 :])
                    where[copy] = where.get(copy, 0) + 1 / elements
    return {k: {n: max(w.values()) for n, w in names.items()} for k, names in counts.items()}, lengths


def measure(out):
    """{(arch, kernel, what): number}"""
    tags, measured, shared = hot_lines(), {}, {}
    for log in sorted(out.glob("shared.*.log")):
        shared |= shared_sizes(log.read_text())
    for log in sorted(out.glob("sm_*.log")):
        arch = log.name.split(".")[0]
        hot, lengths = hot_counts(log.with_suffix(".sass").read_text(), tags)
        for kernel, values in resources(log.read_text()).items():
            values["shared"] = shared.get(kernel, 0)
            values["instructions"] = lengths.get(kernel, 0)
            for what, value in values.items():
                measured[arch, kernel, what] = value
            for name, value in sorted(hot.get(kernel, {}).items()):
                measured[arch, kernel, f"hot:{name}"] = round(value, 2)
    return measured


# Growth below this part is the compiler's mood, not a change of ours.
SLACK = {"instructions": 0.05, "hot": 0.01}


def main():
    out, baseline_file, *options = sys.argv[1:]
    measured = measure(pathlib.Path(out))
    if not measured:
        sys.exit("no kernel was compiled")
    columns = ["registers", "shared", "stack", "spills", "instructions"]
    print(f"{'kernel':24} {'arch':7}" + "".join(f"{c:>13}" for c in columns) + "  instructions per element")
    for arch, kernel in sorted({(a, k) for a, k, _ in measured}, key=lambda ak: (ak[1], len(ak[0]), ak[0])):
        numbers = "".join(f"{measured[arch, kernel, c]:>13}" for c in columns)
        hot = [f"{w[4:]} {v}" for (a, k, w), v in measured.items() if (a, k) == (arch, kernel) and w.startswith("hot:")]
        print(f"{kernel:24} {arch:7}{numbers}  {', '.join(hot)}")

    path = pathlib.Path(baseline_file)
    lines = [f"{a} {k} {w} {v}" for (a, k, w), v in sorted(measured.items())]
    if "--accept" in options:
        path.write_text("# Written by scripts/check-kernels.sh --accept.\n" + "\n".join(lines) + "\n")
        return
    before = {}
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            arch, kernel, what, value = line.split()
            before[arch, kernel, what] = float(value)
    worse, better = [], []
    for key, value in measured.items():
        was = before.get(key)
        if was is None:
            worse.append(f"{' '.join(key)}: {value}, not in the baseline")
        elif value > was * (1 + SLACK.get(key[2].split(":")[0], 0)):
            worse.append(f"{' '.join(key)}: {value}, was {was:g}")
        elif value < was:
            better.append(key)
    worse += [f"{' '.join(key)}: gone" for key in before if key not in measured]
    for line in worse:
        print(line, file=sys.stderr)
    if worse:
        sys.exit("kernels grew; if that is meant: scripts/check-kernels.sh --accept")
    if better:
        print(f"{len(better)} numbers are smaller than in the baseline; --accept keeps them")


main()
