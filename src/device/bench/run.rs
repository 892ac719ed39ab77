//! Going through a selection.

use std::sync::Arc;
use std::time::Instant;

use bytemuck::{Pod, Zeroable};
use serde_json::json;

use super::batch::Batch;
use super::clock::Clock;
use super::logits::{Arena, Shape};
use super::report::{LongGraph, Report, Subject, legal_bytes, step_bytes};
use super::select::{Sampling, Selection};
use super::states::{Place, Recorded, State};
use crate::device::check::rig::{DeviceWorld, Rig, RigSize};
use crate::device::check::worlds;
use crate::device::driver::{Driver, Launch};
use crate::device::sample::{Format, Spread};
use crate::error::{Error, ErrorKind, Result};
use crate::reference::Configuration;
use crate::vocab::Vocabulary;
use crate::{Compiler, CompilerOptions};

struct Run<'a> {
    clock: &'a Clock<'a>,
    selection: &'a Selection,
    start: Instant,
    report: Report,
}

/// Measures a selection, telling `progress` what is being done.
///
/// # Errors
/// [`ErrorKind::Device`] if the driver fails.
pub fn run(device: &dyn Driver, selection: &Selection, mut progress: impl FnMut(&str)) -> Result<Report> {
    let clock = Clock::new(device, selection.repeats)?;
    let report = Report { device: device.description().name.clone(), ..Report::default() };
    let mut run = Run { clock: &clock, selection, start: Instant::now(), report };
    progress("copies and empty kernels");
    run.card()?;
    for (i, &width) in selection.widths.iter().enumerate() {
        progress(&format!("rows of {width} logits"));
        run.width(width)?;
        if i == 0 && selection.long > 0 {
            progress(&format!("a graph of {} steps", selection.long));
            run.long(width)?;
        }
    }
    run.report.seconds = run.start.elapsed().as_secs_f64();
    Ok(run.report)
}

/// `SelftestSpeedParams`: with no rounds, each thread writes a word.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct EmptyParams {
    out: u64,
    rounds: u32,
    padding: u32,
}

impl Run<'_> {
    /// Whether there is time for another measurement.
    fn has_time(&mut self) -> bool {
        let has = self.start.elapsed().as_secs_f64() < self.selection.seconds;
        self.report.skipped += usize::from(!has);
        has
    }

    fn card(&mut self) -> Result<()> {
        let device = self.clock.device();
        let bytes = self.selection.copied;
        let (from, to) = (device.alloc(bytes)?, device.alloc(bytes)?);
        // Also warms the card up: the first samples are not used.
        for _ in 0..3 {
            self.clock.launches(4, || Ok(()), |_| device.copy(&to, 0, &from, 0, bytes))?;
        }
        let times = self.clock.launches(4, || Ok(()), |_| device.copy(&to, 0, &from, 0, bytes))?;
        self.report.copy_gb_s = 2.0 * bytes as f64 / times.median / 1e3;

        let out = device.alloc(32 * 4)?;
        let params = EmptyParams { out: out.address(), rounds: 0, padding: 0 };
        let launch = Launch { blocks: 1, threads: 32, shared: 0 };
        // SAFETY: the struct mirrors the kernel's; `out` has a word for each thread and outlives the replays.
        let empty =
            |_: usize| unsafe { device.launch("selftest_speed", launch, bytemuck::bytes_of(&params)) };
        const EMPTY: usize = 200;
        let graph = self.clock.capture(EMPTY, empty)?;
        // SAFETY: as above.
        self.report.node_us = unsafe { self.clock.replays(&graph, EMPTY, || Ok(())) }?.median;
        self.report.launch_us = self.clock.launches(EMPTY, || Ok(()), empty)?.median;
        Ok(())
    }

    fn width(&mut self, width: usize) -> Result<()> {
        let vocab = vocabulary(width)?;
        let recorded = Recorded::new(vocab)?;
        let device = self.clock.device();
        let world = Arc::new(DeviceWorld::new(device, &recorded.vocab, &recorded.grammars)?);
        let mut arenas = Vec::new();
        for &format in &self.selection.formats {
            arenas.push((format, self.arena(Shape::Model, format, width)?));
        }
        for &rows in &self.selection.rows {
            let mut batch = self.batch(&world, rows)?;
            for &state in &self.selection.states {
                let places = recorded.draw(state, rows);
                if !places.is_empty() {
                    self.state(&mut batch, &arenas, &places, state, (rows, width))?;
                }
            }
        }
        self.masks(&world, &recorded, &arenas, width)?;
        drop(arenas);
        for &shape in &self.selection.shapes {
            for &format in &self.selection.formats {
                self.shape(&world, &recorded, shape, format, width)?;
            }
        }
        Ok(())
    }

    fn batch<'b>(&self, world: &Arc<DeviceWorld>, rows: usize) -> Result<Batch<'b>>
    where
        Self: 'b,
    {
        let (few, many) = self.selection.nodes;
        Batch::new(self.clock, world, rows, if rows <= 32 { few } else { many })
    }

    fn arena(&self, shape: Shape, format: Format, width: usize) -> Result<Arena> {
        let device = self.clock.device();
        let most = self.selection.rows.iter().copied().max().unwrap_or(1);
        let batch = most * width * format.bytes();
        let bytes = (2 * batch).max(device.description().l2 as usize * 9 / 4);
        Arena::new(device, shape, format, width, 2 * most, bytes)
    }

    /// Everything about one state, but for masks.
    fn state(
        &mut self,
        batch: &mut Batch<'_>,
        arenas: &[(Format, Arena)],
        places: &[Place],
        state: State,
        (drawn, width): (usize, usize),
    ) -> Result<()> {
        let rows = places.len();
        let subject =
            |what, sampling, logits| Subject { what, state, sampling, logits, rows, batch: drawn, width };
        let wide_only = state == State::MixedWide;
        batch.set(places)?;
        if !wide_only && state != State::Free && self.has_time() {
            self.report.add(subject("legal", None, None), legal_bytes(places, width), batch.legal()?);
        }
        for &sampling in &self.selection.samplings {
            if wide_only && sampling != Sampling::Temperature {
                continue;
            }
            batch.sample_with(sampling)?;
            for (format, arena) in arenas {
                let of = |what| subject(what, Some(sampling), Some((Shape::Model, *format)));
                let bytes = step_bytes(places, width, *format);
                if self.has_time() {
                    self.report.add(of("step"), bytes, batch.step(arena, false)?);
                }
                if !wide_only && self.has_time() {
                    let both = bytes + legal_bytes(places, width);
                    self.report.add(of("one launch"), both, batch.step(arena, true)?);
                }
                if !wide_only && sampling == Sampling::Temperature && self.has_time() {
                    self.report.add(of("launched"), bytes, batch.launched(arena)?);
                }
            }
        }
        Ok(())
    }

    /// Masks written out and applied, last since applying changes the arenas.
    fn masks(
        &mut self,
        world: &Arc<DeviceWorld>,
        recorded: &Recorded,
        arenas: &[(Format, Arena)],
        width: usize,
    ) -> Result<()> {
        for &rows in &self.selection.rows {
            let mut batch = self.batch(world, rows)?;
            let masked = [State::Structural, State::String, State::Mixed];
            for &state in self.selection.states.iter().filter(|state| masked.contains(state)) {
                let places = recorded.draw(state, rows);
                batch.set(&places)?;
                if !self.has_time() {
                    continue;
                }
                let of =
                    |what, logits| Subject { what, state, sampling: None, logits, rows, batch: rows, width };
                let words = (rows * width.div_ceil(8)) as u64;
                let bytes = legal_bytes(&places, width) + words;
                self.report.add(of("fill", None), bytes, batch.fill()?);
                for (format, arena) in arenas.iter() {
                    let masked: usize = places.iter().map(|p| (width - p.legal) * format.bytes()).sum();
                    let times = batch.apply(arena, *format)?;
                    self.report.add(of("apply", Some((Shape::Model, *format))), words + masked as u64, times);
                }
            }
        }
        Ok(())
    }

    /// Another distribution of logits, for the larger batches.
    fn shape(
        &mut self,
        world: &Arc<DeviceWorld>,
        recorded: &Recorded,
        shape: Shape,
        format: Format,
        width: usize,
    ) -> Result<()> {
        let arena = self.arena(shape, format, width)?;
        for &rows in self.selection.rows.iter().filter(|&&rows| [32, 128, 512].contains(&rows)) {
            let mut batch = self.batch(world, rows)?;
            for state in [State::String, State::Free] {
                let places = recorded.draw(state, rows);
                batch.set(&places)?;
                for &sampling in &self.selection.samplings {
                    if !self.has_time() {
                        continue;
                    }
                    batch.sample_with(sampling)?;
                    let (sampling, logits) = (Some(sampling), Some((shape, format)));
                    let of = Subject { what: "step", state, sampling, logits, rows, batch: rows, width };
                    self.report.add(of, step_bytes(&places, width, format), batch.step(&arena, false)?);
                }
            }
        }
        Ok(())
    }

    /// One graph of many steps, on requests that do not end.
    fn long(&mut self, width: usize) -> Result<()> {
        let (device, steps) = (self.clock.device(), self.selection.long);
        let rows = self.selection.rows.iter().copied().filter(|&rows| rows <= 128).max().unwrap_or(1);
        let vocab = vocabulary(width)?;
        let schema = json!({"type": "array", "minItems": 1_000_000, "items": {
            "type": "object", "additionalProperties": false, "required": ["name", "age", "kind"],
            "properties": {"name": {"type": "string", "maxLength": 40}, "age": {"type": "integer", "maximum": 120},
                "kind": {"enum": ["a", "b", "c"]}}}});
        let grammar = Compiler::new(vocab.clone(), CompilerOptions::default())?.compile(&schema)?;
        let world = Arc::new(DeviceWorld::new(device, &vocab, std::slice::from_ref(&grammar))?);
        let size = RigSize {
            slots: rows,
            rows,
            keep: 8,
            walk_blocks: 6 * device.description().multiprocessors,
            walk_pool: crate::device::legal::DEFAULT_POOL,
            tops: false,
        };
        let mut rig = Rig::new(device, world, size)?;
        for index in 0..rows {
            let mut place = Place::at(&grammar, &Configuration::start(&grammar), 0);
            place.slot.seed = index as u64;
            rig.write(device, index, Some(&grammar), &place.slot, &place.levels, None)?;
        }
        let arena = self.arena(Shape::Model, Format::Bf16, width)?;
        let spread = Spread::new(rows, width, 4 * device.description().multiprocessors);
        let branch = device.branch()?;
        let graph = self.clock.capture(steps, |i| {
            branch.wait(&device.record()?)?;
            rig.legal(&*branch, 64)?;
            device.wait(&branch.record()?)?;
            // SAFETY: the arena and the rig outlive the replay, which is waited for below.
            rig.step(device, &unsafe { arena.batch(i, rows)? }, spread)
        })?;
        let written = || -> Result<u64> {
            let slots = (0..rows).map(|index| rig.slots.read(device, index));
            slots.map(|slot| slot.map(|(slot, _)| u64::from(slot.output))).sum()
        };
        let before = written()?;
        let begin = device.record()?;
        // SAFETY: as above.
        unsafe { device.replay(&graph)? };
        let end = device.record()?;
        let us = device.microseconds(&begin, &end)? / steps as f64;
        let tokens = written()? - before;
        if tokens != (rows * steps) as u64 {
            let message = format!("a graph of {steps} steps of {rows} rows wrote {tokens} tokens");
            return Err(Error::new(ErrorKind::Device, message));
        }
        self.report.long_graph = Some(LongGraph { steps, rows, width, kernels: 2 * steps, us, tokens });
        Ok(())
    }
}

/// o200k_base, or its first ranks.
fn vocabulary(width: usize) -> Result<Arc<Vocabulary>> {
    let whole = Vocabulary::o200k_base()?;
    if width == whole.width() { Ok(whole) } else { worlds::cut(width, width).map(Arc::new) }
}
