//! Every check, each for its share of a given time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::decode::{self, Size};
use super::random::Random;
use super::rig::DeviceWorld;
use super::sampling::{self, RowCase, Shape};
use super::worlds::{KINDS, Kind, World};
use super::{graphs, probe};
use crate::cpu::sampler::SamplerScratch;
use crate::device::driver::Driver;
use crate::device::selftest;
use crate::error::Result;

/// How much is checked.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where the random numbers begin.
    pub seed: u64,
    /// How long all checks together may begin new rounds; every check does at least one.
    pub seconds: f64,
    /// Greatest batches, rows.
    pub rows: usize,
    /// Steps of a round of decoding, and of a graph.
    pub steps: usize,
    /// Whether the 200,019 ids of o200k_base are among the vocabularies.
    pub whole: bool,
}

impl Plan {
    /// For a card: under a minute, most of it the reference on the host.
    pub const CARD: Plan = Plan { seed: 0, seconds: 36.0, rows: 70, steps: 60, whole: true };
    /// For the emulator: some ten seconds.
    pub const EMULATOR: Plan = Plan { seed: 0, seconds: 8.0, rows: 8, steps: 16, whole: true };
    /// For a card under a memory checker, which slows kernels down a hundredfold.
    pub const REDUCED: Plan = Plan { seed: 0, seconds: 4.0, rows: 6, steps: 10, whole: false };
}

/// What came of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which.
    pub name: String,
    /// Rounds, each with a seed of its own.
    pub rounds: u64,
    /// Values or rows compared.
    pub compared: u64,
    /// Time taken.
    pub seconds: f64,
    /// The first difference or failure, with its seed.
    pub failure: Option<String>,
}

/// A round: how much it compared, or the first difference.
type Round<'a> = Box<dyn FnMut(&mut Random) -> Result<u64> + 'a>;

/// One check: its share of the time, and a round of it.
struct Check<'a> {
    name: String,
    share: f64,
    round: Round<'a>,
}

/// Runs every check on `device`, and tells `done` of each as it ends. A difference ends its own check only.
///
/// # Errors
/// If a vocabulary or a grammar cannot be made; what goes wrong on the device is part of an outcome.
pub fn run(device: &dyn Driver, plan: &Plan, mut done: impl FnMut(&Outcome)) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for check in checks(device, plan)? {
        let outcome = one(check?, plan);
        done(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn one(mut check: Check<'_>, plan: &Plan) -> Outcome {
    let start = Instant::now();
    let until = Duration::from_secs_f64(plan.seconds * check.share);
    let mut outcome = Outcome { name: check.name, rounds: 0, compared: 0, seconds: 0.0, failure: None };
    while outcome.rounds == 0 || start.elapsed() < until {
        let seed = plan.seed + outcome.rounds;
        match (check.round)(&mut Random(seed)) {
            Ok(compared) => outcome.compared += compared,
            Err(error) => outcome.failure = Some(format!("seed {seed}: {error}")),
        }
        outcome.rounds += 1;
        if outcome.failure.is_some() {
            break;
        }
    }
    outcome.seconds = start.elapsed().as_secs_f64();
    outcome
}

/// The checks, in the order in which a failure of one explains those after it. Worlds are made when their turn comes.
fn checks<'a>(
    device: &'a dyn Driver,
    plan: &'a Plan,
) -> Result<impl Iterator<Item = Result<Check<'a>>> + 'a> {
    let fixed = [
        Check {
            name: "collectives, atomics and arithmetic".into(),
            share: 0.0,
            round: Box::new(|_| selftest::check(device).map(|()| 5)),
        },
        Check {
            name: "the sampler's functions".into(),
            share: 0.05,
            round: Box::new(|random| {
                let n = if plan.whole { 4_000 } else { 300 };
                probe::arithmetic(device, random, n)?;
                probe::picks(device, random, plan.rows / 2)?;
                Ok(13 * n as u64)
            }),
        },
        Check { name: "sampling".into(), share: 0.3, round: sampling_rounds(device, plan) },
    ];
    let kinds = KINDS.into_iter().filter(|&kind| plan.whole || kind != Kind::Whole);
    let worlds = kinds.flat_map(move |kind| world_checks(device, plan, kind));
    Ok(fixed.into_iter().map(Ok).chain(worlds))
}

/// Random batches: mostly a few tiles, now and then a whole vocabulary.
fn sampling_rounds<'a>(device: &'a dyn Driver, plan: &'a Plan) -> Round<'a> {
    let mut scratch = SamplerScratch::default();
    Box::new(move |random| {
        let whole = plan.whole && random.chance(4);
        let width = match random.below(4) {
            _ if whole => random.pick(&[200_019, 128_256, 151_936]),
            0 => 1 + random.below(80),
            1 => random.pick(&[32, 1024, 2048, 3072]) + random.below(3) - 1,
            _ => 1 + random.below(16_384),
        };
        let rows =
            if whole { 1 + random.below(4) } else { 1 + random.below(plan.rows.min(1 + 200_000 / width)) };
        let format = random.below(3);
        let cases: Vec<RowCase> = (0..rows).map(|_| RowCase::random(random, width, format)).collect();
        let shape = Shape::random(random, format, width);
        sampling::compare(device, random, &cases, &shape, &mut scratch)?;
        Ok(2 * rows as u64)
    })
}

/// Decodes and graphs of one vocabulary.
fn world_checks<'a>(device: &'a dyn Driver, plan: &'a Plan, kind: Kind) -> Vec<Result<Check<'a>>> {
    let random_schemas = if kind == Kind::Tiny { 40 } else { 6 };
    let made = World::new(kind, &mut Random(kind as u64), random_schemas).and_then(|world| {
        let uploaded = DeviceWorld::new(device, &world.vocab, &world.grammars)?;
        Ok((Arc::new(world), Arc::new(uploaded)))
    });
    let (world, uploaded) = match made {
        Ok(made) => made,
        Err(error) => return vec![Err(error)],
    };
    // The reference tries every token of the vocabulary for each mask.
    let fewer = match kind {
        Kind::Tiny => 1,
        Kind::Cut | Kind::ByteFallback => 3,
        Kind::Whole => 6,
    };
    let name = world.name;
    let size = Size { rows: (plan.rows / fewer).max(2), steps: (plan.steps / fewer).max(4) };
    let mut checks = Vec::new();
    if kind != Kind::Cut {
        let (world, uploaded) = (world.clone(), uploaded.clone());
        checks.push(Ok(Check {
            name: format!("a graph of steps, {name}"),
            share: 0.0,
            round: Box::new(move |random| {
                graphs::round(device, &world, &uploaded, random, size.rows, 2 * size.steps)
            }),
        }));
    }
    checks.push(Ok(Check {
        name: format!("decoding, {name}"),
        share: if kind == Kind::Tiny { 0.25 } else { 0.13 },
        round: Box::new(move |random| decode::round(device, &world, &uploaded, random, size)),
    }));
    checks
}
