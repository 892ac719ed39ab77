//! The kernels of `legal.cu`, `advance.cu`, `draft.cu` and `masks.cu` on the emulated device, against the
//! reference and the CPU's fast masks: sets, places, statuses, verdicts and forced bytes, bit for bit.
//!
//! All tests have `emulated` in their names. `WARPGRAMMAR_EMULATED_STEPS` sets how long the walks are.

#[path = "../common/mod.rs"]
mod common;
mod device;
mod edges;
#[path = "../common/generator.rs"]
mod generator;
mod grammars;
mod model;
mod vocabularies;

use std::sync::Arc;

use bytemuck::Zeroable;
use common::Random;
use device::{Device, Spread, download};
use grammars::Compiled;
use model::Model;
use warpgrammar::automaton::Whitespace;
use warpgrammar::cpu::{Masker, State, VocabTables};
use warpgrammar::device::advance::verdict;
use warpgrammar::device::draft::ROOT;
use warpgrammar::device::layout::{INACTIVE, NO_LIMIT, Slot, legal_kind, slot_status};
use warpgrammar::device::masks::{MaskedLogits, Masks, apply_bitmask};
use warpgrammar::device::sample::Format;
use warpgrammar::device::{Driver, Emulated, adjust, emulated};
use warpgrammar::sampling::{SamplingParams, TokenCounts};
use warpgrammar::vocab::Vocabulary;

/// Length of the prompt that slots pretend to have.
const PROMPT: u64 = 11;

struct World {
    device: Device,
    grammars: Vec<Compiled>,
    rows: Vec<Model>,
    masker: Masker,
    random: Random,
    /// The reference judges one set in so many, the CPU all.
    thorough: usize,
    row_steps: usize,
    kinds: [usize; 3],
}

impl World {
    fn new(vocab: Vocabulary, grammars: Vec<Compiled>, slots: usize, thorough: usize, seed: u64) -> World {
        let vocab = Arc::new(vocab);
        let tables = Arc::new(VocabTables::new(Arc::clone(&vocab)));
        let device = Device::new(vocab, &grammars, slots, seed);
        let mut world = World {
            device,
            grammars,
            rows: Vec::new(),
            masker: Masker::new(tables),
            random: Random(seed),
            thorough,
            row_steps: 0,
            kinds: [0; 3],
        };
        for slot in 0..slots {
            let row = world.admit(slot);
            world.rows.push(row);
        }
        world
    }

    /// Puts a new request into a slot.
    fn admit(&mut self, slot: usize) -> Model {
        let grammar = self.random.below(self.grammars.len());
        let g = self.grammars[grammar].grammar();
        let least = u64::from(g.least_tokens());
        let budget = match self.random.below(4) {
            0 | 1 => None,
            n => g.is_bounded().then_some(least + self.random.below(if n == 2 { 4 } else { 40 }) as u64),
        };
        let row = Model::new(grammar, g, budget.filter(|&b| b < NO_LIMIT.into()));
        let (line, levels) = row.slot(self.device.grammars[grammar].address(), PROMPT);
        self.device.write(slot, &line, &levels);
        row
    }

    fn spread(&mut self) -> Spread {
        let pool = [0, 1, 3, 40, 1024][self.random.below(5)];
        Spread { blocks: 1 + self.random.below(5) as u32, parts: 1 + self.random.below(4), pool }
    }

    /// The legal set by the CPU and, now and then, by the reference.
    fn wanted(&mut self, row: &Model) -> Vec<u32> {
        let Compiled { program, what } = &self.grammars[row.grammar];
        let vocab = &self.device.vocab;
        let mut words = vec![0; vocab.width().div_ceil(32)];
        if row.status == slot_status::RUNNING {
            self.masker.mask(program, &State::from_reference(&row.c, 0), row.budget, &mut words);
            if self.random.below(self.thorough) == 0 {
                assert_eq!(words, row.c.mask(program.grammar(), vocab, row.budget), "the CPU, {what}");
            }
        }
        words
    }

    fn check_sets(&mut self) -> Vec<Vec<u32>> {
        let spread = self.spread();
        self.device.legal(spread);
        let sets = self.device.sets();
        for (slot, (kind, got)) in sets.iter().enumerate() {
            let row = self.rows[slot].clone();
            let want = self.wanted(&row);
            self.kinds[*kind as usize] += 1;
            self.same(got, &want, &row, slot);
            self.row_steps += 1;
        }
        sets.into_iter().map(|s| s.1).collect()
    }

    fn same(&self, got: &[u32], want: &[u32], row: &Model, slot: usize) {
        if got == want {
            return;
        }
        let vocab = &self.device.vocab;
        let wrong: Vec<String> = (0..vocab.width() as u32)
            .filter(|&t| (got[t as usize / 32] ^ want[t as usize / 32]) >> (t % 32) & 1 == 1)
            .take(10)
            .map(|t| {
                let legal = want[t as usize / 32] >> (t % 32) & 1 == 1;
                let bytes = String::from_utf8_lossy(vocab.bytes(t).unwrap_or_default()).into_owned();
                format!("{t} {bytes:?} is {}", if legal { "legal" } else { "illegal" })
            })
            .collect();
        panic!(
            "slot {slot}, {wrong:?} in {:?} {:?} of {}",
            row.c, row.budget, self.grammars[row.grammar].what
        );
    }

    fn check_slots(&self) {
        for (slot, row) in self.rows.iter().enumerate() {
            let got = self.device.slots.read(&self.device.driver, slot).unwrap();
            let want = row.slot(self.device.grammars[row.grammar].address(), PROMPT);
            assert_eq!(got, want, "slot {slot} of {}", self.grammars[row.grammar].what);
        }
    }

    /// A token of the set, if there is any; structural as often as not.
    fn pick(&mut self, mask: &[u32]) -> Option<u32> {
        let vocab = Arc::clone(&self.device.vocab);
        let legal: Vec<u32> =
            (0..vocab.len() as u32).filter(|&t| mask[t as usize / 32] >> (t % 32) & 1 == 1).collect();
        let mut token = *legal.get(self.random.below(legal.len().max(1)))?;
        let structural = self.random.below(2) == 0;
        for _ in 0..6 {
            let bytes = vocab.bytes(token).unwrap_or_default();
            if bytes.len() > 1 && bytes.iter().any(|b| b"\"{}[],:\\".contains(b)) == structural {
                break;
            }
            token = legal[self.random.below(legal.len())];
        }
        Some(token)
    }

    /// One step of every slot, in an order of its own, with some illegal tokens and rows without a slot.
    fn step(&mut self, masks: &[Vec<u32>]) {
        let vocab = Arc::clone(&self.device.vocab);
        let mut order: Vec<u32> = (0..self.rows.len() as u32).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, self.random.below(i + 1));
        }
        order.insert(self.random.below(order.len()), INACTIVE);
        let mut tokens = Vec::new();
        for &slot in &order {
            let any = self.random.below(vocab.width() + 3) as u32;
            let token = if slot == INACTIVE || self.random.below(8) == 0 {
                any
            } else {
                self.pick(&masks[slot as usize]).unwrap_or(any)
            };
            tokens.push(token);
        }
        let got = self.device.advance(&order, &tokens);
        for ((&slot, &token), got) in order.iter().zip(&tokens).zip(got) {
            if slot == INACTIVE {
                assert_eq!(got, verdict::INACTIVE);
                continue;
            }
            let row = &mut self.rows[slot as usize];
            let g = self.grammars[row.grammar].grammar();
            assert_eq!(got, row.advance(g, &vocab, token), "token {token} in slot {slot}");
        }
        self.check_slots();
    }

    fn roll_back(&mut self) {
        let rows: Vec<u32> = (0..self.rows.len() as u32).collect();
        let counts: Vec<u32> = rows.iter().map(|_| self.random.below(4) as u32).collect();
        let got = self.device.rollback(&rows, &counts);
        for (row, (&n, got)) in self.rows.iter_mut().zip(counts.iter().zip(got)) {
            assert_eq!(got, row.rollback(n as usize));
        }
        self.check_slots();
    }

    fn check_forced(&mut self) {
        let rows: Vec<u32> = (0..self.rows.len() as u32).chain([INACTIVE]).collect();
        let capacity = 1 + self.random.below(12);
        let got = self.device.forced(&rows, capacity);
        for (row, got) in self.rows.iter().zip(&got) {
            let program = &self.grammars[row.grammar].program;
            let mut want = Vec::new();
            if row.status == slot_status::RUNNING {
                want = State::from_reference(&row.c, 0).forced(program);
            }
            want.truncate(capacity);
            assert_eq!(got, &want, "{:?} of {}", row.c, self.grammars[row.grammar].what);
        }
        assert!(got.last().unwrap().is_empty());
    }

    /// Draft tokens after every slot, as chains or trees.
    fn check_draft(&mut self, nodes: usize, tree: bool, with_sets: bool) {
        let vocab = Arc::clone(&self.device.vocab);
        let rows: Vec<u32> = (0..self.rows.len() as u32).chain([INACTIVE]).collect();
        let (mut tokens, mut parents, mut want, mut want_sets) = (vec![], vec![], vec![], vec![]);
        for slot in 0..self.rows.len() {
            let start = self.rows[slot].clone();
            let g = Arc::clone(self.grammars[start.grammar].grammar());
            let mut sets = vec![self.wanted(&start)];
            let mut places: Vec<(u32, Model)> = Vec::new();
            let (mut own, mut above) = (vec![], vec![]);
            for node in 0..self.random.below(nodes + 1) as u32 {
                let parent = match (tree, node) {
                    (_, 0) => ROOT,
                    (false, _) => node - 1,
                    (true, _) if self.random.below(3) == 0 => ROOT,
                    (true, _) => self.random.below(node as usize) as u32,
                };
                let (before, place) = if parent == ROOT {
                    (verdict::OK, &start)
                } else {
                    let p = &places[parent as usize];
                    (p.0, &p.1)
                };
                let mut place = place.clone();
                let mask = &sets[parent.wrapping_add(1) as usize];
                let any = self.random.below(vocab.len()) as u32;
                let token =
                    if self.random.below(6) == 0 { any } else { self.pick(&mask.clone()).unwrap_or(any) };
                let verdict = if before == verdict::OK { place.advance(&g, &vocab, token) } else { before };
                own.push(token);
                above.push(parent);
                sets.push(if verdict == verdict::OK { self.wanted(&place) } else { vec![0; sets[0].len()] });
                places.push((verdict, place));
            }
            want.push(places.iter().map(|p| p.0).collect::<Vec<u32>>());
            tokens.push(own);
            parents.push(above);
            want_sets.push(sets);
        }
        tokens.push(vec![0; nodes]);
        parents.push(vec![ROOT; nodes]);
        let spread = self.spread();
        let parents = (tree || self.random.below(2) == 0).then_some(&parents[..]);
        let (got, sets) = self.device.draft(&rows, &tokens, parents, nodes, with_sets, spread);
        for slot in 0..self.rows.len() {
            let n = want[slot].len();
            assert_eq!(
                got[slot][..n],
                want[slot],
                "slot {slot}, {:?} after {:?}",
                tokens[slot],
                parents.map(|p| &p[slot])
            );
            assert!(got[slot][n..].iter().all(|&v| v == verdict::INACTIVE));
            if with_sets {
                for (node, want) in want_sets[slot].iter().enumerate() {
                    self.same(&sets[slot][node], want, &self.rows[slot], slot);
                    self.row_steps += 1;
                }
            }
        }
        assert!(got.last().unwrap().iter().all(|&v| v == verdict::INACTIVE));
        self.check_slots();
    }

    /// Gives some slots a budget not far from what their text still needs, too small a one among them.
    fn change_budgets(&mut self) {
        for slot in 0..self.rows.len() {
            let row = &mut self.rows[slot];
            let bound = row.c.bound(self.grammars[row.grammar].grammar());
            if row.status != slot_status::RUNNING || bound > 1 << 20 || self.random.below(6) != 0 {
                continue;
            }
            // Where a wider form of a frame fits is further off.
            let more = [7, 40][self.random.below(2)];
            row.budget = Some((bound + self.random.below(more) as u64).saturating_sub(2));
            let (line, levels) = row.slot(self.device.grammars[row.grammar].address(), PROMPT);
            self.device.write(slot, &line, &levels);
        }
    }

    /// Walks all slots for a number of steps, checking everything on the way.
    fn walk(&mut self, steps: usize) {
        for step in 0..steps {
            self.change_budgets();
            let masks = self.check_sets();
            match step % 8 {
                2 => self.check_forced(),
                4 => self.check_draft(4, false, step % 16 == 4),
                6 => self.check_draft(6, true, step % 16 == 6),
                7 => self.roll_back(),
                _ => {}
            }
            let masks = if step % 8 == 7 { self.check_sets() } else { masks };
            self.step(&masks);
            for slot in 0..self.rows.len() {
                let over = self.rows[slot].status != slot_status::RUNNING;
                if over && self.random.below(2) == 0 || self.random.below(40) == 0 {
                    self.rows[slot] = self.admit(slot);
                }
            }
        }
        eprintln!(
            "{} row-steps over {} grammars: {} lists, {} bitmaps",
            self.row_steps,
            self.grammars.len(),
            self.kinds[1],
            self.kinds[2]
        );
    }
}

/// How many steps a walk takes: fewer under a sanitizer.
fn steps(usual: usize) -> usize {
    match std::env::var("WARPGRAMMAR_EMULATED_STEPS") {
        Ok(n) => n.parse().expect("WARPGRAMMAR_EMULATED_STEPS is a number"),
        Err(_) if emulated::is_sanitized() => usual.div_ceil(20),
        Err(_) => usual,
    }
}

#[test]
fn emulated_equals_the_reference_on_a_straddling_vocabulary() {
    let grammars = grammars::compiled(1, 60, 3, None);
    World::new(vocabularies::tiny(|_| true), grammars, 70, 4, 1).walk(steps(320));
}

#[test]
fn emulated_equals_the_reference_where_bytes_are_missing() {
    let vocab = vocabularies::tiny(|b| b != b'\\' && b < 0xe0 && b != b'5');
    let grammars = grammars::compiled(2, 30, 4, Some(&vocab.spellable().clone()));
    World::new(vocab, grammars, 33, 4, 2).walk(steps(300));
}

#[test]
fn emulated_equals_the_reference_on_a_large_vocabulary() {
    let grammars = grammars::compiled(3, 30, 3, None);
    World::new(vocabularies::large(), grammars, 40, 60, 3).walk(steps(240));
}

/// Every slot's set is the same however the launch is spread, and wherever the slot is.
#[test]
fn emulated_sets_do_not_depend_on_the_launch() {
    for (vocab, large) in [(vocabularies::tiny(|_| true), false), (vocabularies::large(), true)] {
        let mut world = World::new(vocab, grammars::compiled(5, 20, 3, None), 24, 1000, 5);
        for _ in 0..steps(if large { 6 } else { 12 }) {
            let masks = world.check_sets();
            let spreads = [(1, 1, 1024), (3, 1, 0), (7, 5, 1024), (24, 2, 2), (5, 64, 30)];
            for (blocks, parts, pool) in spreads {
                world.device.legal(Spread { blocks, parts, pool });
                let sets = world.device.sets();
                assert!(
                    sets.iter().zip(&masks).all(|(s, m)| s.1 == *m),
                    "{blocks} blocks, {parts} parts, {pool}"
                );
            }
            // Each slot's content moves to another place.
            let n = world.rows.len();
            let shift = 1 + world.random.below(n - 1);
            for slot in 0..n {
                let row = &world.rows[(slot + shift) % n];
                let (line, levels) = row.slot(world.device.grammars[row.grammar].address(), PROMPT);
                // What can be taken back stays behind.
                world.device.write(slot, &Slot { history: 0, ..line }, &levels);
            }
            let spread = world.spread();
            world.device.legal(spread);
            let sets = world.device.sets();
            assert!((0..n).all(|slot| sets[slot].1 == masks[(slot + shift) % n]));
            for slot in 0..n {
                let row = world.rows[slot].clone();
                let row = Model { history: Vec::new(), ..row };
                let (line, levels) = row.slot(world.device.grammars[row.grammar].address(), PROMPT);
                world.device.write(slot, &line, &levels);
                world.rows[slot] = row;
            }
            world.step(&masks);
        }
    }
}

/// Slots that are free or have no grammar, among others.
#[test]
fn emulated_slots_without_a_grammar() {
    let mut world = World::new(vocabularies::tiny(|_| true), grammars::compiled(6, 0, 9, None), 6, 1, 6);
    let free = Slot::zeroed();
    let open = Slot { status: slot_status::RUNNING, budget: 2, ..free };
    let unlimited = Slot { budget: NO_LIMIT, ..open };
    for (slot, line) in [free, open, unlimited].into_iter().enumerate() {
        world.device.write(slot, &line, &[]);
    }
    let spread = world.spread();
    world.device.legal(spread);
    let sets = world.device.sets();
    assert_eq!((sets[0].0, sets[0].1.iter().any(|&w| w != 0)), (legal_kind::LIST, false));
    assert_eq!((sets[1].0, sets[2].0), (legal_kind::ALL, legal_kind::ALL));
    let width = world.device.vocab.width() as u32;
    let line = |world: &World, slot| world.device.slots.read(&world.device.driver, slot).unwrap().0;
    // Any token below the width may come, a stop token ends the text, a budget too.
    assert_eq!(world.device.advance(&[0, 1, 2], &[5, width - 1, width]), [3, 0, 2]);
    assert_eq!(line(&world, 0), free);
    let one = Slot { budget: 1, position: 1, output: 1, history: 1, ..open };
    assert_eq!((line(&world, 1), line(&world, 2)), (one, unlimited));
    assert_eq!(world.device.advance(&[1, 2], &[0, 1]), [0, 0]);
    assert_eq!(line(&world, 1).status, slot_status::LENGTH);
    assert_eq!(line(&world, 2), Slot { status: slot_status::STOPPED, ..unlimited });
    assert_eq!(world.device.advance(&[1, 2], &[0, 1]), [3, 3]);
    assert_eq!(world.device.rollback(&[0, 1, 2], &[0, 2, 0]), [2, 0, 0]);
    assert_eq!((line(&world, 1), line(&world, 2)), (open, unlimited));
    assert!(world.device.forced(&[0, 1], 4).iter().all(Vec::is_empty));
}

/// Token counts go with the tokens, and a full table refuses one.
#[test]
fn emulated_token_counts_go_with_tokens() {
    let world = World::new(vocabularies::tiny(|_| true), grammars::compiled(9, 0, 9, None), 2, 1, 9);
    let width = world.device.vocab.width();
    let params = SamplingParams { presence_penalty: 1.0, ..SamplingParams::default() };
    let empty = adjust::block(&params, &TokenCounts::from_prompt(&[]), width, 2).unwrap();
    let block = world.device.upload(&empty);
    let line =
        Slot { status: slot_status::RUNNING, budget: NO_LIMIT, adjust: block.address(), ..Slot::zeroed() };
    world.device.write(1, &line, &[]);
    let counts = || -> Vec<(u32, u32)> {
        let bytes: Vec<u8> = download(&world.device.driver, &block, empty.len());
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let entries = (16 + 4 * word(8) as usize..bytes.len()).step_by(16);
        let mut counts: Vec<(u32, u32)> =
            entries.map(|at| (word(at), word(at + 12))).filter(|&(id, n)| id != u32::MAX && n > 0).collect();
        counts.sort_unstable();
        counts
    };
    for (token, verdict, want) in [
        (7, verdict::OK, vec![(7, 1)]),
        (7, verdict::OK, vec![(7, 2)]),
        (9, verdict::OK, vec![(7, 2), (9, 1)]),
        // A block for two tokens has four entries, of which three may be used.
        (11, verdict::OK, vec![(7, 2), (9, 1), (11, 1)]),
        (13, verdict::COUNTS_FULL, vec![(7, 2), (9, 1), (11, 1)]),
        (9, verdict::OK, vec![(7, 2), (9, 2), (11, 1)]),
        // A stop token is not counted.
        (1, verdict::OK, vec![(7, 2), (9, 2), (11, 1)]),
    ] {
        assert_eq!(world.device.advance(&[1], &[token]), [verdict], "token {token}");
        assert_eq!(counts(), want, "token {token}");
    }
    assert_eq!(world.device.rollback(&[1], &[3]), [verdict::OK]);
    assert_eq!(counts(), [(7, 2)]);
    let back = world.device.slots.read(&world.device.driver, 1).unwrap().0;
    assert_eq!(back, Slot { position: 2, output: 2, history: 2, ..line });
}

/// Masks written out have ones for rows without a slot and zeros beyond the width.
#[test]
fn emulated_masks_are_written_out() {
    let mut world = World::new(vocabularies::tiny(|_| true), grammars::compiled(7, 10, 4, None), 30, 1, 7);
    for _ in 0..steps(4) {
        let masks = world.check_sets();
        let width = world.device.vocab.width();
        let rows: Vec<u32> = (0..45).map(|i| if i % 7 == 3 { INACTIVE } else { i * 11 % 30 }).collect();
        for stride in [width.div_ceil(32), width.div_ceil(32) + 3] {
            let got = world.device.fill(&rows, stride);
            for (&slot, got) in rows.iter().zip(&got) {
                let n = width.div_ceil(32);
                for (i, &word) in got[..n].iter().enumerate() {
                    let all = (0..32).filter(|b| 32 * i + b < width).fold(0u32, |w, b| w | 1 << b);
                    let want = if slot == INACTIVE { all } else { masks[slot as usize][i] };
                    assert_eq!(word, want, "word {i} of slot {slot}");
                }
                assert!(got[n..].iter().all(|&w| w == 0xa5a5_a5a5), "only the mask is written");
            }
        }
        world.step(&masks);
    }
}

/// Logits masked in place, whatever their type, stride and alignment; nothing else is touched.
#[test]
fn emulated_logits_are_masked_in_place() {
    let driver = Emulated::with_seed(8).unwrap();
    let mut random = Random(8);
    for round in 0..steps(160) {
        let format = [Format::F32, Format::F16, Format::Bf16][round % 3];
        let size = format.bytes();
        let (rows, width) = (1 + random.below(5), 1 + random.below(700));
        let columns = (width + random.below(40)).saturating_sub(random.below(30)).max(1);
        let stride = columns + random.below(9);
        let offset = random.below(9);
        let mask_stride = width.div_ceil(32) + random.below(3);
        let density = random.below(4);
        let words: Vec<u32> = (0..rows * mask_stride)
            .map(|_| match density {
                0 => u32::MAX,
                1 => 0,
                2 => random.next() as u32,
                _ => [0, u32::MAX, random.next() as u32][random.below(3)],
            })
            .collect();
        let elements = offset + rows * stride + 8;
        let before: Vec<u8> = (0..elements * size).map(|_| random.next() as u8).collect();
        let logits = driver.alloc(before.len()).unwrap();
        driver.upload(&logits, 0, &before).unwrap();
        let mask = driver.alloc(words.len() * 4).unwrap();
        driver.upload(&mask, 0, bytemuck::cast_slice(&words)).unwrap();
        let listed: Vec<u32> = (0..1 + random.below(rows)).map(|_| random.below(rows) as u32).collect();
        let list = driver.alloc(listed.len() * 4).unwrap();
        driver.upload(&list, 0, bytemuck::cast_slice(&listed)).unwrap();
        let masked = MaskedLogits {
            address: logits.address() + (offset * size) as u64,
            elements: elements - offset,
            format,
            rows,
            columns,
            stride,
        };
        let masks = Masks { words: &mask, stride: mask_stride, width };
        let by_list = random.below(2) == 0;
        let (list, count) = if by_list { (Some(&list), listed.len()) } else { (None, rows) };
        // SAFETY: the logits are in a live buffer, which holds all rows; listed rows are below their number.
        unsafe { apply_bitmask(&driver, &masked, masks, list, count).unwrap() };
        let mut want = before.clone();
        let infinity: &[u8] = match format {
            Format::F32 => &[0, 0, 0x80, 0xff],
            Format::F16 => &[0, 0xfc],
            Format::Bf16 => &[0x80, 0xff],
        };
        for row in (0..rows).filter(|&r| !by_list || listed.contains(&(r as u32))) {
            for column in 0..columns {
                let legal =
                    column < width && words[row * mask_stride + column / 32] >> (column % 32) & 1 == 1;
                if !legal {
                    let at = (offset + row * stride + column) * size;
                    want[at..at + size].copy_from_slice(infinity);
                }
            }
        }
        let mut got = vec![0; before.len()];
        driver.download(&logits, 0, &mut got).unwrap();
        assert!(
            got == want,
            "{format:?}, {rows} rows of {columns} at {offset}, stride {stride}, {width} bits"
        );
    }
}

/// The whole of o200k_base, a few steps.
#[test]
fn emulated_equals_the_reference_on_o200k_base() {
    let vocab = Vocabulary::o200k_base().unwrap();
    let stop = vocab.special("<|endoftext|>").unwrap();
    let vocab = Vocabulary::clone(&vocab).with_stop_ids(&[stop]).unwrap().with_logits_width(200_064).unwrap();
    World::new(vocab, grammars::compiled(4, 6, 8, None), 8, 60, 4).walk(steps(40));
}

/// Places where runs of whitespace, digits or letters lead to one place, and places nearly so: keys that may have any name
/// beside declared ones, first characters that a pattern tells apart, lengths near their ends.
#[test]
fn emulated_runs_lead_where_single_bytes_do() {
    use serde_json::json;
    let strings = |of: serde_json::Value| json!({"type": "array", "items": of});
    let places = [
        (
            json!({"properties": {"a": {"type": "integer"}, "name": {}, "na": {"type": "number"}, "日本": {}},
                "additionalProperties": {"type": "boolean"}, "required": ["name"]}),
            ["{\"", "{ ", "{\"name\": 1", "{\"name\": \"x\", \"n"],
        ),
        (strings(json!({"type": "string", "pattern": "^[a-z][a-z0-9_]*$"})), ["", "[", "[\"", "[\"a"]),
        (
            strings(json!({"type": "string", "pattern": "^é?[^0-9][\\s\\S]*$"})),
            ["[ ", "[\"", "[\"é", "[\"éa"],
        ),
        (
            strings(json!({"type": "string", "minLength": 1, "maxLength": 90})),
            ["[\"", "[\"a", "[\"a\"", "[\"a\", "],
        ),
        (
            strings(
                json!({"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "minLength": 2, "maxLength": 70}),
            ),
            ["[\"", "[\"a", "[\"ab", "[\"abc"],
        ),
        (
            strings(json!({"type": "integer", "minimum": -120, "maximum": 99999})),
            ["[", "[-", "[1", "[12, 1234"],
        ),
        (strings(json!({"type": "number"})), ["[", "[-", "[1", "[0.1234567890123"]),
    ];
    let vocab = Vocabulary::clone(&Vocabulary::o200k_base().unwrap());
    for whitespace in [Whitespace::Flexible { max: 32 }, Whitespace::Flexible { max: 3 }] {
        let compiled = |schema: &serde_json::Value| {
            let options = warpgrammar::automaton::Options { whitespace, ..Default::default() };
            let grammar = Arc::new(common::compile(schema, &options).unwrap());
            Compiled { program: warpgrammar::cpu::Program::new(grammar), what: schema.to_string() }
        };
        let grammars: Vec<Compiled> = places.iter().map(|(schema, _)| compiled(schema)).collect();
        let mut world = World::new(vocab.clone(), grammars, 4 * places.len(), 200, 9);
        for round in 0..steps(4) {
            for slot in 0..world.rows.len() {
                let g = Arc::clone(world.grammars[slot / 4].grammar());
                // Far from the end, and not far.
                let budget = [None, Some(500), Some(40), Some(12)][round % 4];
                let mut row = Model::new(slot / 4, &g, budget.filter(|_| g.is_bounded()));
                let text = places[slot / 4].1[slot % 4];
                assert!(
                    text.bytes().all(|b| row.c.read(&g, b)),
                    "{text} of {}",
                    world.grammars[slot / 4].what
                );
                let (line, levels) = row.slot(world.device.grammars[slot / 4].address(), PROMPT);
                world.device.write(slot, &line, &levels);
                world.rows[slot] = row;
            }
            world.check_sets();
        }
        world.walk(steps(10));
    }
}

/// A set that outgrows the list in the last round of its walk, or fills it exactly.
#[test]
fn emulated_lists_end_where_they_should() {
    for digits in [380, 495, 500, 501, 502, 503, 504, 505, 520, 640] {
        // So few that the last round has nothing but numbers.
        let mut tokens: Vec<Option<Vec<u8>>> = (0..128u8).map(|b| Some(vec![b])).collect();
        tokens.extend((0..digits).map(|n| Some(format!("{n:03}").into_bytes())));
        let vocab = Vocabulary::from_tokens(tokens).unwrap();
        let schema = serde_json::json!({"type": "integer"});
        let grammar = common::compile(&schema, &warpgrammar::automaton::Options::default()).unwrap();
        let compiled = Compiled {
            program: warpgrammar::cpu::Program::new(Arc::new(grammar)),
            what: format!("{digits} numbers of three digits"),
        };
        let mut world = World::new(vocab, vec![compiled], 1, 1, digits as u64);
        world.rows[0].budget = None;
        let (line, levels) = world.rows[0].slot(world.device.grammars[0].address(), PROMPT);
        world.device.write(0, &line, &levels);
        assert_eq!(world.device.advance(&[0], &[u32::from(b'1')]), [verdict::OK]);
        let g = Arc::clone(world.grammars[0].grammar());
        world.rows[0].advance(&g, &world.device.vocab, u32::from(b'1'));
        world.check_slots();
        let mask = world.check_sets().remove(0);
        let count = mask.iter().map(|w| w.count_ones()).sum::<u32>();
        assert!(count >= digits + 10, "{count}");
        let kind = world.device.sets()[0].0;
        assert_eq!(kind, if count <= 512 { legal_kind::LIST } else { legal_kind::BITMAP }, "{count} tokens");
    }
}

/// One place with every budget from too little to plenty: which form of a frame is entered depends on it.
#[test]
fn emulated_every_budget() {
    let schemas = grammars::with_variants();
    assert!(schemas.len() >= 3);
    for (i, schema) in schemas.iter().enumerate() {
        let options =
            warpgrammar::automaton::Options { whitespace: Whitespace::Compact, ..Default::default() };
        let grammar = Arc::new(common::compile(schema, &options).unwrap());
        let program = warpgrammar::cpu::Program::new(grammar);
        let compiled = Compiled { program, what: schema.to_string() };
        let mut world = World::new(vocabularies::tiny(|_| true), vec![compiled], 70, 4, 50 + i as u64);
        for _ in 0..steps(60) {
            let at = world.random.below(world.rows.len());
            let mut template = world.rows[at].clone();
            if template.status != slot_status::RUNNING || world.random.below(10) == 0 {
                template = Model::new(0, world.grammars[0].grammar(), None);
            }
            template.history.clear();
            let bound = template.c.bound(world.grammars[0].grammar());
            for slot in 0..world.rows.len() {
                let budget = (bound + slot as u64).saturating_sub(1);
                let row = Model { budget: Some(budget), ..template.clone() };
                let (line, levels) = row.slot(world.device.grammars[0].address(), PROMPT);
                world.device.write(slot, &line, &levels);
                world.rows[slot] = row;
            }
            let masks = world.check_sets();
            world.step(&masks);
        }
    }
}
