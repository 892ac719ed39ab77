//! The mutation check: something in the kernels is broken, and an emulated test must fail.
//!
//! Takes four minutes on two processors.
//!
//! Every barrier is left out, one at a time, and every change of [`CHANGES`] is made; all of that in one library, which
//! asks the environment what is broken in it.
//! `cargo test --test emulated_checks -- --ignored --nocapture` says who noticed what; with `WARPGRAMMAR_MUTATIONS` set,
//! of those mutations whose names contain that.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::binaries::{self, End};
use crate::changes::{CHANGES, Change};
use crate::order::{Memory, Timed};
use crate::source;
use crate::unnoticed::UNNOTICED;

/// How long it is tried whether what cannot be noticed is noticed after all.
const DOUBT: Duration = Duration::from_secs(4);

/// What is broken.
enum Mutation {
    Barrier(source::Place),
    Change(usize, &'static Change),
}

impl Mutation {
    fn name(&self) -> String {
        match self {
            Mutation::Barrier(place) => place.name.clone(),
            Mutation::Change(_, change) => format!("{}: {}", change.file, change.name),
        }
    }

    fn file(&self) -> &str {
        match self {
            Mutation::Barrier(place) => &place.file,
            Mutation::Change(_, change) => change.file,
        }
    }

    fn variable(&self) -> (&'static str, String) {
        match self {
            Mutation::Barrier(place) => {
                ("WARPGRAMMAR_SKIP_BARRIER", format!("{}:{}", place.file, place.line))
            }
            Mutation::Change(number, _) => (source::VARIABLE, number.to_string()),
        }
    }

    fn excuse(&self) -> Option<&'static str> {
        let name = self.name();
        UNNOTICED.iter().find(|(known, _)| *known == name).map(|(_, why)| *why)
    }

    /// Who notices it, if anybody.
    fn noticed(&self, library: &str, tests: &[Timed], memory: &Memory) -> Option<String> {
        let (variable, value) = self.variable();
        let order = match self.excuse() {
            None => memory.order(self.file(), tests),
            Some(_) => memory.witnesses(self.file(), tests, DOUBT),
        };
        order.into_iter().find_map(|number| {
            let Timed { test, time } = &tests[number];
            let limit = Duration::from_secs(10) + 8 * *time;
            let end = test.run(&[("WARPGRAMMAR_EMULATOR", library), (variable, &value)], limit);
            memory.add(self.file(), number, end != End::Passed);
            match end {
                End::Passed => None,
                End::Failed(words) => Some(format!("{} {}: {words}", test.target, test.name)),
            }
        })
    }
}

/// The answers of `ask` for every item, asked by as many threads as there are processors, in order as far as it goes.
fn shared_out<T: Sync, A: Send>(items: &[T], ask: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, A)>> = Mutex::default();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let answer = ask(item);
                    answers.lock().expect("no panic").push((at, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().expect("no panic");
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[test]
#[ignore = "takes minutes; part of .ci/run"]
fn emulated_tests_notice_every_mutation() {
    let begin = Instant::now();
    let library = source::build_with(CHANGES).display().to_string();
    let built = begin.elapsed();
    // Nothing is broken: all pass, and say how long they take.
    let tests = shared_out(&binaries::tests(), |test| {
        let begin = Instant::now();
        let end = test.run(&[("WARPGRAMMAR_EMULATOR", &library)], Duration::from_secs(600));
        assert_eq!(end, End::Passed, "{} {} without a mutation", test.target, test.name);
        Timed { test: test.clone(), time: begin.elapsed() }
    });
    let passed = begin.elapsed();

    let barriers = source::places(&["WG_SYNC", "WG_SYNC_WARP"]).into_iter().map(Mutation::Barrier);
    let changes = (1..).zip(CHANGES).map(|(number, change)| Mutation::Change(number, change));
    let mut mutations: Vec<Mutation> = barriers.chain(changes).collect();
    let all: Vec<String> = mutations.iter().map(Mutation::name).collect();
    if let Ok(wanted) = std::env::var("WARPGRAMMAR_MUTATIONS") {
        mutations.retain(|m| m.name().contains(&wanted));
    }
    // What is excused comes last: then it is known who notices what in its file.
    mutations.sort_by_key(|m| m.excuse().is_some());
    let memory = Memory::default();
    let verdicts = shared_out(&mutations, |mutation| {
        let begin = Instant::now();
        let noticed = mutation.noticed(&library, &tests, &memory);
        let (verdict, wrong) = match (noticed, mutation.excuse()) {
            (Some(by), None) => (format!("noticed by {by}"), false),
            (None, Some(why)) => (format!("not noticed: {why}"), false),
            (None, None) => ("NOT NOTICED, and no reason is given".into(), true),
            // No fault of a kernel; and who is asked depends on what was noticed before it in this run.
            (Some(by), Some(_)) => (format!("excused, but NOTICED, by {by}: strike it out"), false),
        };
        let line = format!("{}: {verdict}", mutation.name());
        println!("{:5.1} s  {line}", begin.elapsed().as_secs_f64());
        wrong.then_some(line)
    });

    for fence in source::places(&["WG_FENCE"]) {
        println!("{}: a fence; memory is sequentially consistent here, so nothing can notice", fence.name);
    }
    println!(
        "{} mutations ({} are excused); building took {built:.0?}, every test once {:.0?}, all {:.0?}",
        mutations.len(),
        UNNOTICED.len(),
        passed - built,
        begin.elapsed()
    );
    let mut wrong: Vec<String> = verdicts.into_iter().flatten().collect();
    for (name, _) in UNNOTICED {
        if !all.contains(&(*name).to_owned()) {
            wrong.push(format!("{name}: excused, and not there"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
