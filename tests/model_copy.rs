//! The copying model: rows are a function of the sequence alone, and lean the way its documentation says.

use std::sync::Arc;

use warpgrammar::Result;
use warpgrammar::model::{CopyModel, LogitsSource, SeqId, Tokens};

/// Every byte is a token, 256 ends the text, and the row is padded to 260.
struct Bytes(Vec<[u8; 1]>);

const STOP: u32 = 256;

impl Tokens for Bytes {
    fn width(&self) -> usize {
        260
    }

    fn bytes(&self, id: u32) -> Option<&[u8]> {
        self.0.get(id as usize).map(<[u8; 1]>::as_slice)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(text.bytes().map(u32::from).collect())
    }

    fn stop_ids(&self) -> &[u32] {
        &[STOP]
    }
}

fn model() -> CopyModel {
    CopyModel::new(Arc::new(Bytes((0..=255).map(|b| [b]).collect())))
}

fn start(model: &mut CopyModel, prompt: &str, text: &str) -> SeqId {
    let prompt: Vec<u32> = prompt.bytes().map(u32::from).collect();
    let seq = model.start(&prompt).unwrap();
    text.bytes().for_each(|b| model.accept(seq, b.into()));
    seq
}

fn row(model: &mut CopyModel, seq: SeqId) -> Vec<f32> {
    let mut row = vec![0.0; model.width()];
    model.logits(&[seq], &mut row).unwrap();
    row
}

/// The best of `tokens` after `text`, given as bytes.
fn best(prompt: &str, text: &str, tokens: &[u8]) -> u8 {
    let mut model = model();
    let seq = start(&mut model, prompt, text);
    let row = row(&mut model, seq);
    *tokens.iter().max_by(|a, b| row[**a as usize].total_cmp(&row[**b as usize])).unwrap()
}

#[test]
fn a_row_does_not_depend_on_the_batch() {
    let mut model = model();
    let a = start(&mut model, "Name: Ada Park", "{\"name\":\"A");
    let b = start(&mut model, "Pay 12 dollars", "{\"price\":");
    let (one, two) = (row(&mut model, a), row(&mut model, b));
    let mut both = vec![0.0; 2 * model.width()];
    model.logits(&[b, a], &mut both).unwrap();
    assert_eq!(both, [two, one.clone()].concat());
    assert!(one.iter().all(|logit| logit.is_finite()));

    model.finish(a);
    let again = start(&mut model, "Name: Ada Park", "{\"name\":\"A");
    assert_eq!(row(&mut model, again), one);
}

#[test]
fn values_are_copied_from_the_prompt() {
    let prompt = "user:\nName: Ada Park\nThe price is 38 dollars.\n\nassistant:\n";
    let any: Vec<u8> = (0..=255).collect();
    let mut text = String::from("{\"name\":\"");
    for _ in 0.."Ada Park\"".len() {
        text.push(best(prompt, &text, &any).into());
    }
    assert_eq!(text, "{\"name\":\"Ada Park\"");
    assert_eq!(best(prompt, "{\"price\":", b"0123456789"), b'3');
    assert_eq!(best(prompt, "{\"price\":3", b"0123456789,"), b'8');
    assert_eq!(best(prompt, "{\"price\":38", b"0123456789,"), b',');
}

#[test]
fn texts_come_to_an_end() {
    assert_eq!(best("x", "[1,2,3,4", b",]"), b']');
    let mut model = model();
    let done = start(&mut model, "x", "{\"a\":1}");
    let row = row(&mut model, done);
    let stop = row[STOP as usize];
    assert!(row[..256].iter().all(|&logit| logit < stop));
}

/// The text that is written greedily, token by token, where every token is legal.
fn greedy(model: &mut CopyModel, seq: SeqId, most: usize) -> String {
    let mut text = Vec::new();
    while text.len() < most {
        let row = row(model, seq);
        let best = (0..=STOP).max_by(|a, b| row[*a as usize].total_cmp(&row[*b as usize])).unwrap();
        if best == STOP {
            break;
        }
        text.push(best as u8);
        model.accept(seq, best);
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn an_opening_that_is_expected_is_written_and_a_value_after_it() {
    let mut model = model();
    let seq = start(&mut model, "City: Porto", "");
    model.expect(seq, &[b"<call>f:"]);
    assert_eq!(greedy(&mut model, seq, 8), "<call>f:");
    // As after nothing: the place of a value, where prose is not.
    "{\"city\":\"".bytes().for_each(|b| model.accept(seq, b.into()));
    assert!(greedy(&mut model, seq, 6).starts_with("Porto\""));
    // Not told of any, the reply is prose.
    let seq = start(&mut model, "City: Porto", "");
    assert!(!greedy(&mut model, seq, 8).starts_with('<'));
}
