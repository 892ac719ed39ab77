//! A session as a serving loop uses it: rows placed once, other calls in between.

use std::sync::Arc;

use warpgrammar::device::layout::row_status;
use warpgrammar::device::sample::{DeviceLogits, Format};
use warpgrammar::device::{Driver, Emulated, Session, SessionOptions, SlotRequest};
use warpgrammar::sampling::{SamplingParams, TokenCounts};
use warpgrammar::vocab::Vocabulary;

const SLOTS: usize = 4;

#[test]
fn emulated_rows_stay_placed_while_other_slots_are_asked() {
    let bytes = (0..=255u8).map(|b| Some(vec![b])).collect();
    let vocab = Vocabulary::from_tokens(bytes).unwrap();
    let driver: Arc<dyn Driver> = match Emulated::new() {
        Ok(driver) => Arc::new(driver),
        Err(why) => return eprintln!("SKIPPED: {why}"),
    };
    let options = SessionOptions { slots: SLOTS, ..SessionOptions::default() };
    let mut session = Session::new(driver.clone(), &vocab, &options).unwrap();
    let (params, counts) = (SamplingParams::default(), TokenCounts::default());
    for slot in 0..SLOTS {
        let request = SlotRequest {
            grammar: None,
            params: &params,
            counts: &counts,
            prompt_len: 0,
            max_tokens: None,
            stream: 0,
        };
        session.admit(slot, &request).unwrap();
    }
    let width = vocab.width();
    let buffer = driver.alloc(3 * width * 4).unwrap();
    let logits = |rows: usize| {
        logits_of(&buffer, rows, width).unwrap_or_else(|e| panic!("{rows} rows of {width} logits: {e}"))
    };
    let outputs = |session: &Session| -> Vec<u32> {
        (0..SLOTS).map(|slot| session.read(slot).unwrap().0.output).collect()
    };

    assert!(session.step(&logits(1)).is_err(), "no rows were placed");
    session.place_rows(&[0, 1, 2]).unwrap();
    assert_eq!(session.advance(&[1, 3], &[7, 8]).unwrap(), [0, 0]);
    assert_eq!(session.validate(3, &[1, 2]).unwrap(), 2);
    assert!(session.forced(2).unwrap().is_empty());
    session.legal().unwrap();
    session.step(&logits(3)).unwrap();
    assert!(session.results(3).unwrap().iter().all(|r| r.status == row_status::OK));
    assert_eq!(outputs(&session), [1, 2, 1, 1]);
    assert_eq!(session.rollback(&[1], &[2]).unwrap(), [0]);
    session.step_whole(&logits(3)).unwrap();
    assert_eq!(outputs(&session), [2, 1, 2, 1]);

    // Fewer rows than before: the rest of the old map must not be read.
    session.place_rows(&[1]).unwrap();
    assert!(session.step(&logits(2)).is_err());
    assert!(session.place_rows(&[2, 2]).is_err() && session.place_rows(&[SLOTS as u32]).is_err());
    session.copy(1, 1).unwrap();
    session.copy(1, 0).unwrap();
    assert_eq!(outputs(&session), [1, 1, 2, 1]);
}

fn logits_of(
    buffer: &warpgrammar::device::Buffer,
    rows: usize,
    width: usize,
) -> warpgrammar::Result<DeviceLogits> {
    // SAFETY: the buffer holds as many logits, and outlives every step of this test.
    unsafe { DeviceLogits::new(buffer.address(), buffer.len() / 4, Format::F32, rows, width, width) }
}
