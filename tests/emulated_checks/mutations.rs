//! The mutation check: something in the kernels is broken, and an emulated test must fail.
//!
//! Every barrier is left out, one at a time (the emulator does that, without compiling anything), and every change of
//! [`CHANGES`] is made in a copy of the sources. Takes minutes: `cargo test --test emulated_checks -- --ignored`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::binaries::{self, End, Test};
use crate::source;

/// A change to a source: its name, the file, what stands there exactly once, and what is put in its place.
struct Change {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

const CHANGES: &[Change] = &[
    Change { name: "the ticket is not reset", file: "run.cuh", from: "if (complete) *ticket = 0;", to: "" },
    Change {
        name: "the ticket is taken for complete too early",
        file: "run.cuh",
        from: "wg_atomic_add(ticket, own) + own == p.tiles",
        to: "wg_atomic_add(ticket, own) + own + 1 >= p.tiles",
    },
    Change {
        name: "a tile reads beyond the row",
        file: "logits.cuh",
        from: "bool legal = id < row.width;",
        to: "bool legal = true;",
    },
    Change {
        name: "ties go to the higher id",
        file: "order.cuh",
        from: "return (u64)key(z) << 32 | (u32)~id;",
        to: "return (u64)key(z) << 32 | id;",
    },
    Change {
        name: "ties of tiles go to the last tile",
        file: "wide.cuh",
        from: "const u32 tile = f.tiles - block_max(s.block, first);",
        to: "const u32 tile = block_max(s.block, first > 0 ? f.tiles - first : 0);",
    },
    Change {
        name: "a draw at the edge takes the token before it",
        file: "block.cuh",
        from: "if (aim - before < v) break;",
        to: "if (aim - before <= v) break;",
    },
    Change {
        name: "NaN weighs as +inf",
        file: "tile.cuh",
        from: "z[i] = z[i] > max ? max : z[i];",
        to: "z[i] = z[i] < max ? z[i] : max;",
    },
    Change {
        name: "frequency counts the prompt",
        file: "adjust.cuh",
        from: "if (output > 0) z =",
        to: "if ((prompt | output) > 0) z =",
    },
    Change {
        name: "a digit forgets those before it",
        file: "sweep.cuh",
        from: "filter.prefix = filter.prefix << bits |",
        to: "filter.prefix =",
    },
    Change {
        name: "top-k beyond a list is taken for a list",
        file: "truncate.cuh",
        from: "if (k > WG_RANKED_CAP) return 0;",
        to: "",
    },
    Change {
        name: "min-p keeps one logit more",
        file: "truncate.cuh",
        from: "return (u64)high << 32;",
        to: "return (u64)(high - 1) << 32;",
    },
    Change {
        name: "top-p asks for one unit of mass more",
        file: "truncate.cuh",
        from: "    const u64 enough = enough_mass(row_mass(f), top_p);\n    if (kept.listed > 0) {",
        to: "    const u64 enough = enough_mass(row_mass(f), top_p) + 1;\n    if (kept.listed > 0) {",
    },
    Change {
        name: "a list is not grouped by tile",
        file: "list.cuh",
        from: "l.heads[i] = low;",
        to: "l.heads[i] = 0;",
    },
    Change {
        name: "a stop token's finish is not reported",
        file: "step.cu",
        from: "result.finish = status == SLOT_RUNNING ? 0 : status;",
        to: "",
    },
];

/// What no test can notice, and why. An entry that is noticed after all fails the check, so that the list stays true.
const UNNOTICED: &[(&str, &str)] = &[
    ("block.cuh block_add 2", FREES_SCRATCH),
    ("list.cuh rank_list 1", "its callers come from a barrier"),
    ("list.cuh rank_list 2", "sort_orders, which follows, begins with a barrier"),
    ("list.cuh sample_list 1", "write_tops reads with each thread only what that thread wrote"),
    (
        "step.cu finish_row 1",
        "other warps may then read a slot that is being moved, but only for results that nobody writes down",
    ),
    ("sweep.cuh collect 1", "its callers come from a barrier"),
    ("sweep.cuh collect 4", "`count` is written again behind another barrier"),
    ("sweep.cuh sum_kept 1", "its callers come from a barrier"),
    ("truncate.cuh sum_list 1", "its callers come from a barrier"),
    ("truncate.cuh kth_maximum 1", "its callers come from a barrier"),
    ("wide.cuh choose_greatest 1", "the result is of the first thread, which is of the warp that wrote it"),
];

const FREES_SCRATCH: &str =
    "for calls one after the other; today's callers have a barrier of their own between";

/// What is broken.
enum Mutation {
    Barrier(source::Place),
    Change(&'static Change),
}

impl Mutation {
    fn name(&self) -> &str {
        match self {
            Mutation::Barrier(place) => &place.name,
            Mutation::Change(change) => change.name,
        }
    }

    /// Who notices it, if anybody.
    fn noticed(&self, tests: &[Test], limit: Duration) -> Option<String> {
        let variable = match self {
            Mutation::Barrier(place) => {
                ("WARPGRAMMAR_SKIP_BARRIER", format!("{}:{}", place.file, place.line))
            }
            Mutation::Change(change) => {
                let folder = change.name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
                let library = source::build_with(&folder, change.file, change.from, change.to);
                ("WARPGRAMMAR_EMULATOR", library.display().to_string())
            }
        };
        // What is excused is expected to pass everything: half of the tests is enough to see that it still does.
        let excused = UNNOTICED.iter().any(|(name, _)| *name == self.name());
        let tests = if excused { &tests[..tests.len().div_ceil(2)] } else { tests };
        tests.iter().find_map(|test| match test.run(&[(variable.0, &variable.1)], limit) {
            End::Passed => None,
            End::Failed(words) => Some(format!("{} {}: {words}", test.target, test.name)),
        })
    }
}

#[test]
#[ignore = "takes minutes"]
fn emulated_tests_notice_every_mutation() {
    // The quick ones first: most mutations are noticed by any.
    let mut timed: Vec<(Duration, Test)> = Vec::new();
    for test in binaries::tests() {
        let begin = Instant::now();
        let end = test.run(&[], Duration::from_secs(600));
        assert_eq!(end, End::Passed, "{} {} without a mutation", test.target, test.name);
        timed.push((begin.elapsed(), test));
    }
    timed.sort_by_key(|(time, _)| *time);
    let limit = Duration::from_secs(30) + 10 * timed.last().expect("a test").0;
    let tests: Vec<Test> = timed.into_iter().map(|(_, test)| test).collect();

    let barriers = source::places(&["WG_SYNC", "WG_SYNC_WARP"]).into_iter().map(Mutation::Barrier);
    let mutations: Vec<Mutation> = barriers.chain(CHANGES.iter().map(Mutation::Change)).collect();
    let next = AtomicUsize::new(0);
    let found: Mutex<BTreeMap<usize, Option<String>>> = Mutex::default();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(mutation) = mutations.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let noticed = mutation.noticed(&tests, limit);
                    let at = mutations.iter().position(|m| std::ptr::eq(m, mutation)).expect("its own");
                    found.lock().expect("no panic").insert(at, noticed);
                }
            });
        }
    });

    let found = found.into_inner().expect("no panic");
    assert_eq!(found.len(), mutations.len());
    let mut wrong = Vec::new();
    for (mutation, noticed) in mutations.iter().zip(found.values()) {
        let excuse = UNNOTICED.iter().find(|(name, _)| *name == mutation.name());
        let verdict = match (noticed, excuse) {
            (Some(by), None) => format!("noticed by {by}"),
            (None, Some((_, why))) => format!("not noticed: {why}"),
            (None, None) => "NOT NOTICED, and no reason is given".into(),
            (Some(by), Some(_)) => format!("NOTICED after all, by {by}"),
        };
        println!("{}: {verdict}", mutation.name());
        if noticed.is_some() == excuse.is_some() {
            wrong.push(format!("{}: {verdict}", mutation.name()));
        }
    }
    for fence in source::places(&["WG_FENCE"]) {
        println!("{}: a fence; memory is sequentially consistent here, so nothing can notice", fence.name);
    }
    for (name, _) in UNNOTICED {
        if !mutations.iter().any(|m| m.name() == *name) {
            wrong.push(format!("{name}: excused, and not there"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
