#!/usr/bin/env python3
"""What one would use instead of warpgrammar's step on a GPU, measured on the same card.

    python benches/gpu_peers.py --ours doctor.json --json peers.json    # measure, and print how they compare
    python benches/gpu_peers.py --warm-up                               # compile what compiles itself, and stop
    python benches/gpu_peers.py --ours doctor.json --join peers.json    # only print; needs no GPU and no PyTorch

doctor.json is what `warpgrammar doctor --bench --json doctor.json` wrote on the same machine.

Measured, each where it can be imported:

    torch                 masked_fill with a bool mask, softmax, multinomial; argmax; topk or sort for truncation
    xgrammar + torch      XGrammar's apply_token_bitmask_inplace, then the same without masked_fill
    xgrammar + flashinfer XGrammar's apply_token_bitmask_inplace, then FlashInfer's samplers
    xgrammar apply        the apply kernel alone: its Triton one, which XGrammar uses on GPUs, and its CUDA one

None of these makes a mask or moves an automaton on, which warpgrammar's step includes (in part: `legal` is a launch
of its own). bf16 logits are widened first where a sampler takes f32 only, and that is part of the time.

Method: as in `doctor --bench`. Several calls are captured in a CUDA graph, each with logits of its own that rotate
through more than twice the L2; before each replay a copy fills the L2 with something else; events; medians. What
cannot be captured is timed call by call, and marked `eager`.

Packages, for machines that cannot reach a registry (looked at in November 2026 for CPython 3.12, Linux x86-64, on an
image that has PyTorch 2.11, Triton, numpy, jinja2, filelock, packaging, nvidia-ml-py, ninja and nvcc):

    xgrammar 0.2.8             1.3 MiB  its kernel files are loaded by themselves and need torch and triton; importing
                                        the package would need pydantic and apache-tvm-ffi. The Triton kernel compiles
                                        through Triton; the CUDA one with nvcc, at its first use.
    flashinfer-python 0.6.18.post1
                              17.5 MiB  `import flashinfer` wants many packages (cutlass-dsl, cudnn-frontend ...), so
                                        where that fails flashinfer.sampling is imported alone: it needs apache-tvm-ffi
                                        besides what the image has. It is not precompiled: its sampling module is
                                        compiled with nvcc and ninja at its first use, before anything is timed.
                                        (0.7.2.post1 is 59 MiB; precompiled cubins are 437 MiB. Neither is needed.)
    apache-tvm-ffi 0.1.15.post2
                               3.2 MiB

Together 22 MiB. Whether they import and compile on a GPU machine has not been tried yet; what cannot be used is said
in the output and in the JSON under `missing`.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import time
import types
from pathlib import Path

ROWS = [1, 32, 128, 512]
WIDTHS = [128256, 200019]
FORMATS = ["f32", "bf16"]
STATES = ["structural", "string"]
SAMPLINGS = ["greedy", "temperature", "top-p 0.9", "top-k 50", "top-k 50, top-p 0.9"]
# Of the vocabulary: legal ids of a structural place, and the share of it that is legal in a string.
STRUCTURAL_IDS = 200
STRING_SHARE = 0.97

NO_GPU = 3


def load_file(name, path):
    """A module from one file of a package that is not imported."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def folder_of(package):
    """Where a package is installed, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{package} is not installed")
    return Path(list(spec.submodule_search_locations)[0])


def xgrammar_apply(kind):
    """XGrammar's kernel: (logits, bitmask) -> None."""
    path = folder_of("xgrammar") / "kernels" / f"apply_token_bitmask_inplace_{kind}.py"
    module = load_file(f"xgrammar_apply_{kind}", path)
    return getattr(module, f"apply_token_bitmask_inplace_{kind}")


def flashinfer_sampling():
    """flashinfer.sampling, by itself if the package cannot be imported as a whole."""
    try:
        import flashinfer.sampling as sampling

        return sampling
    except ImportError:
        folder = folder_of("flashinfer")
        for name in [name for name in sys.modules if name.split(".")[0] == "flashinfer"]:
            del sys.modules[name]
        package = types.ModuleType("flashinfer")
        package.__path__ = [str(folder)]
        sys.modules["flashinfer"] = package
        return importlib.import_module("flashinfer.sampling")


class Peers:
    """What could be loaded, and the ways of sampling that can be built of it."""

    def __init__(self, torch):
        self.torch = torch
        self.missing = {}
        self.apply_triton = self.load("xgrammar, Triton", lambda: xgrammar_apply("triton"))
        self.apply_cuda = self.load("xgrammar, CUDA", lambda: xgrammar_apply("cuda"))
        self.flashinfer = self.load("flashinfer", flashinfer_sampling)
        self.try_out()

    def load(self, name, load):
        start = time.time()
        try:
            loaded = load()
        except Exception as error:  # whatever a foreign package throws
            self.missing[name] = f"{type(error).__name__}: {error}"[:400]
            return None
        print(f"loaded {name} in {time.time() - start:.1f} s", file=sys.stderr)
        return loaded

    def try_out(self):
        """Calls everything once, small: what compiles itself does so now, what fails is left out."""
        torch = self.torch
        for name in self.names():
            if name in self.missing:
                continue
            for format in FORMATS:
                inputs = Inputs(torch, "string", "N(0,1)", format, 2, 4096, batches=1)
                for sampling in SAMPLINGS:
                    call = self.call(name, sampling)
                    try:
                        if call is not None:
                            call(inputs, 0)
                            torch.cuda.synchronize()
                    except Exception as error:
                        self.missing.setdefault(name, f"{type(error).__name__}: {error}"[:400])

    def names(self):
        return ["torch", "xgrammar apply, Triton", "xgrammar apply, CUDA", "xgrammar + torch", "xgrammar + flashinfer"]

    def call(self, name, sampling):
        """A function of (inputs, batch) that does it, or None."""
        torch = self.torch
        applies = {"xgrammar apply, Triton": self.apply_triton, "xgrammar apply, CUDA": self.apply_cuda}
        if name in applies:
            apply = applies[name]
            # It samples nothing, so one name is enough.
            if apply is None or sampling != "temperature":
                return None
            return lambda inputs, i: apply(inputs.logits[i], inputs.bits)
        if name == "torch":
            return lambda inputs, i: torch_sample(
                torch, inputs.logits[i].float().masked_fill(inputs.illegal, -torch.inf), sampling
            )
        if self.apply_triton is None:
            return None
        if name == "xgrammar + torch":

            def call(inputs, i):
                self.apply_triton(inputs.logits[i], inputs.bits)
                return torch_sample(torch, inputs.logits[i].float(), sampling)

            return call
        if self.flashinfer is None:
            return None

        def call(inputs, i):
            self.apply_triton(inputs.logits[i], inputs.bits)
            return flashinfer_sample(torch, self.flashinfer, inputs.logits[i].float(), sampling)

        return call


def torch_sample(torch, logits, sampling):
    if sampling == "greedy":
        return logits.argmax(-1)
    if sampling == "temperature":
        return torch.softmax(logits, -1).multinomial(1)
    ids = None
    if sampling.startswith("top-k"):
        logits, ids = logits.topk(50, -1)
    if sampling.endswith("top-p 0.9"):
        if ids is None:
            logits, ids = logits.sort(-1, descending=True)
        probs = torch.softmax(logits, -1)
        probs = probs.masked_fill(probs.cumsum(-1) - probs > 0.9, 0)
    else:
        probs = torch.softmax(logits, -1)
    return ids.gather(-1, probs.multinomial(1))


def flashinfer_sample(torch, flashinfer, logits, sampling):
    # A fixed seed, so that nothing of the host is asked during a capture.
    seed = {"seed": 1, "offset": 0}
    if sampling == "greedy":
        return logits.argmax(-1)
    if sampling == "temperature":
        return flashinfer.sampling_from_logits(logits, **seed)
    if sampling == "top-k 50, top-p 0.9":
        return flashinfer.top_k_top_p_sampling_from_logits(logits, 50, 0.9, **seed)
    probs = flashinfer.softmax(logits)
    if sampling == "top-p 0.9":
        return flashinfer.top_p_sampling_from_probs(probs, 0.9, **seed)
    return flashinfer.top_k_sampling_from_probs(probs, 50, **seed)


class Inputs:
    """Logits of several batches, and one mask for all."""

    def __init__(self, torch, state, shape, format, rows, width, batches):
        generator = torch.Generator(device="cuda").manual_seed(1)
        stride = -(-width // 64) * 64
        dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[format]
        all_rows = torch.empty(batches, rows, stride, device="cuda", dtype=dtype)
        base = torch.randn(12, stride, device="cuda", generator=generator)
        if shape == "model-like":
            ranks = torch.stack([torch.randperm(stride, device="cuda", generator=generator) for _ in range(12)])
            base = 18.0 - 1.3 * (ranks + 1).float().log() + 0.6 * base
        elif shape == "spike":
            base[:, 777] += 30.0
        flat = all_rows.view(-1, stride)
        for first in range(0, flat.shape[0], 12):
            part = flat[first : first + 12]
            part.copy_(base[: part.shape[0]])
        # Rows padded to 64 and contiguous, as samplers want them; what is padded is illegal.
        self.logits = list(all_rows)
        legal = torch.zeros(rows, stride, device="cuda", dtype=torch.bool)
        if state == "structural":
            legal[:, torch.randperm(width, device="cuda", generator=generator)[:STRUCTURAL_IDS]] = True
        else:
            legal[:, :width] = torch.rand(rows, width, device="cuda", generator=generator) < STRING_SHARE
        self.illegal = ~legal
        weights = 1 << torch.arange(32, device="cuda", dtype=torch.int64)
        words = (legal.view(rows, -1, 32).to(torch.int64) * weights).sum(-1)
        self.bits = torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32).contiguous()


class Clock:
    def __init__(self, torch, repeats):
        self.torch = torch
        self.repeats = repeats
        self.l2 = torch.cuda.get_device_properties(0).L2_cache_size
        half = self.l2 * 9 // 4
        self.flush = torch.empty(2, half, device="cuda", dtype=torch.uint8)

    def measure(self, call, inputs, nodes):
        """(median µs a call, 'graph' or 'eager')."""
        torch = self.torch
        batches = len(inputs.logits)
        for i in range(2):
            call(inputs, i % batches)
        torch.cuda.synchronize()

        def all_calls():
            for i in range(nodes):
                call(inputs, i % batches)

        how = "graph"
        run = all_calls
        try:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                all_calls()
            run = graph.replay
        except Exception:
            torch.cuda.synchronize()
            how = "eager"
        samples = []
        for i in range(self.repeats + 1):
            self.flush[0].copy_(self.flush[1])
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            run()
            end.record()
            end.synchronize()
            if i > 0:
                samples.append(begin.elapsed_time(end) * 1e3 / nodes)
        return statistics.median(samples), how


def measure(torch, args):
    peers = Peers(torch)
    for name, why in peers.missing.items():
        print(f"not measured: {name}: {why}", file=sys.stderr)
    report = {"device": torch.cuda.get_device_name(0), "torch": torch.__version__, "missing": peers.missing, "records": []}
    if args.warm_up:
        return report
    clock = Clock(torch, args.repeats)
    start = time.time()
    report["skipped"] = 0
    # What is promised first, so that time cut short cuts elsewhere.
    plan = [
        (width, format, rows, state, shape)
        for shape, states in [("model-like", STATES), ("N(0,1)", ["string"])]
        for width in args.widths
        for rows in args.rows
        for format in FORMATS
        for state in states
    ]
    for width, format, rows, state, shape in plan:
        if time.time() - start > args.seconds:
            report["skipped"] += 1
            continue
        size = rows * width * (4 if format == "f32" else 2)
        nodes = 8 if rows > 32 else 16
        batches = max(2, min(nodes, clock.l2 * 9 // 4 // size + 1))
        inputs = Inputs(torch, state, shape, format, rows, width, batches)
        for name in peers.names():
            for sampling in SAMPLINGS:
                call = None if name in peers.missing else peers.call(name, sampling)
                if call is None or time.time() - start > args.seconds:
                    continue
                try:
                    us, how = clock.measure(call, inputs, nodes)
                except Exception as error:
                    report["missing"].setdefault(f"{name}, {sampling}", f"{type(error).__name__}: {error}"[:200])
                    continue
                report["records"].append(
                    {"what": name, "state": state, "sampling": sampling, "shape": shape, "format": format}
                    | {"rows": rows, "width": width, "us": us, "how": how}
                )
        del inputs
        torch.cuda.empty_cache()
    report["seconds"] = time.time() - start
    return report


KEY = ("state", "sampling", "shape", "format", "rows", "width")


def ours_by_key(document):
    """µs of warpgrammar's legal sets and step together, one after the other, by what was measured."""
    records = ((document or {}).get("bench") or {}).get("records") or []
    legal = {(r["state"], r["rows"], r["width"]): r["us"] for r in records if r["what"] == "legal"}
    steps = {}
    for r in records:
        if r["what"] == "step":
            key = tuple(r[k] for k in KEY)
            steps[key] = (r["us"], legal.get((r["state"], r["rows"], r["width"])))
    return steps


def table(ours, peers):
    """How peers compare, as text: µs, and how many times the step, and the step with its legal sets, they take."""
    steps = ours_by_key(ours)
    lines = [
        f"{peers.get('device')}: peers' median µs, over warpgrammar's step (which also moves on),"
        " and over legal sets + step in a row",
        f"{'peer':<24} {'state':<11} {'sampling':<20} {'shape':<11} {'type':<5} {'V':>7} {'rows':>4}"
        f" {'peer µs':>9} {'step µs':>8} {'×step':>6} {'×both':>6}",
    ]
    promised = {True: [], False: []}
    for r in sorted(peers["records"], key=lambda r: (r["what"], r["state"], r["sampling"], r["format"], r["width"], r["rows"])):
        step, legal = steps.get(tuple(r[k] for k in KEY), (None, None))
        over = r["us"] / step if step else None
        both = r["us"] / (step + legal) if step and legal else None

        def shown(value, digits):
            return "–" if value is None else f"{value:.{digits}f}"

        lines.append(
            f"{r['what']:<24} {r['state']:<11} {r['sampling']:<20} {r['shape']:<11} {r['format']:<5} {r['width']:>7}"
            f" {r['rows']:>4} {r['us']:>9.1f} {shown(step, 1):>8} {shown(over, 1):>6} {shown(both, 1):>6}"
            + (" eager" if r.get("how") == "eager" else "")
        )
        if r["what"] == "xgrammar + flashinfer" and r["sampling"] == "top-p 0.9" and over:
            promised[r["rows"] >= 128].append(over)
    lines.append("")
    for large, least in ((True, 5.0), (False, 3.0)):
        name = f"XGrammar's apply and FlashInfer's top-p over the step, {'128 rows and more' if large else 'below'}"
        if promised[large]:
            worst = min(promised[large])
            verdict = "kept" if worst >= least else "NOT KEPT"
            lines.append(f"{name}: promised {least:.0f}, least {worst:.1f}, median {statistics.median(promised[large]):.1f}: {verdict}")
        else:
            lines.append(f"{name}: promised {least:.0f}, not measured")
    for name, why in (peers.get("missing") or {}).items():
        lines.append(f"not measured: {name}: {why}")
    if peers.get("skipped"):
        lines.append(f"left out because time was up: {peers['skipped']} batches")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Measures what one would use instead of warpgrammar on a GPU.")
    parser.add_argument("--ours", type=Path, help="what `warpgrammar doctor --bench --json` wrote")
    parser.add_argument("--join", type=Path, help="measure nothing: print the table of an earlier --json")
    parser.add_argument("--json", type=Path, help="write the measurements here")
    parser.add_argument("--warm-up", action="store_true", help="compile what compiles itself, and stop")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=110.0, help="begin no measurement later than this")
    args = parser.parse_args()
    if args.join:
        peers = json.loads(args.join.read_text())
    else:
        try:
            import torch
        except ImportError as error:
            print(f"nothing can be measured: PyTorch is not installed ({error})", file=sys.stderr)
            return NO_GPU
        if not torch.cuda.is_available():
            print("nothing can be measured: PyTorch finds no GPU", file=sys.stderr)
            return NO_GPU
        peers = measure(torch, args)
        if args.json:
            args.json.write_text(json.dumps(peers, indent=1) + "\n")
        if args.warm_up:
            return 0
    ours = json.loads(args.ours.read_text()) if args.ours and args.ours.exists() else None
    print(table(ours, peers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
