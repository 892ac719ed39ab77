use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::TEXTS;
use crate::ErrorKind;
use crate::vocab::{TokenizerOptions, Vocabulary};

/// GPT-2's byte alphabet, built as its authors did, independently of the table under test.
fn byte_alphabet() -> Vec<char> {
    let printable =
        |b: u32| (0x21..=0x7e).contains(&b) || (0xa1..=0xac).contains(&b) || (0xae..=0xff).contains(&b);
    let mut next = 0x100;
    (0..256)
        .map(|b| {
            if printable(b) {
                return char::from_u32(b).unwrap();
            }
            next += 1;
            char::from_u32(next - 1).unwrap()
        })
        .collect()
}

/// A byte-level BPE: 256 bytes, two merges, a gap at 258 and 259, special and plain added tokens.
fn byte_level() -> Value {
    let mut vocab = serde_json::Map::new();
    for (byte, c) in byte_alphabet().into_iter().enumerate() {
        vocab.insert(c.to_string(), byte.into());
    }
    vocab.insert("Ġh".into(), 256.into());
    vocab.insert("Ġhi".into(), 257.into());
    json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": null,
        "added_tokens": [
            added(260, "<|end|>", true),
            added(261, "<tool>", false),
            added(262, "  ", false),
        ],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<|end|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<|end|>": {"id": "<|end|>", "ids": [260], "tokens": ["<|end|>"]}},
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab,
            "merges": ["Ġ h", ["Ġh", "i"]],
        },
    })
}

/// The shape of Llama 2's file: byte fallback, U+2581 for a space, one put before the text.
fn sentence_piece() -> Value {
    let mut vocab = serde_json::Map::new();
    for token in ["<unk>", "<s>", "</s>"] {
        vocab.insert(token.into(), vocab.len().into());
    }
    for byte in 0..256 {
        vocab.insert(format!("<0x{byte:02X}>"), (byte + 3).into());
    }
    for token in ["▁", "h", "i", "hi", "▁hi", "한", "▁▁"] {
        vocab.insert(token.into(), vocab.len().into());
    }
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [added(0, "<unk>", true), added(1, "<s>", true), added(2, "</s>", true)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ]},
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true,
            "vocab": vocab,
            "merges": ["h i", "▁ hi", "▁ ▁"],
        },
    })
}

fn added(id: u32, content: &str, special: bool) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": special,
    })
}

fn read(file: &Value) -> crate::Result<Vocabulary> {
    Vocabulary::from_tokenizer_json(file.to_string().as_bytes(), &TokenizerOptions::new())
}

#[test]
fn byte_level_bpe() {
    let v = read(&byte_level()).unwrap();
    assert_eq!(v.len(), 263);
    for byte in 0..=255u8 {
        assert_eq!(v.bytes(byte.into()), Some(&[byte][..]));
    }
    assert_eq!(v.bytes(257), Some(&b" hi"[..]));
    assert_eq!((v.bytes(258), v.bytes(259), v.is_special(258)), (None, None, false));
    assert_eq!((v.bytes(260), v.special("<|end|>")), (None, Some(260)));
    assert_eq!((v.bytes(261), v.is_special(261)), (Some(&b"<tool>"[..]), false));
    assert_eq!(v.bytes(262), Some(&b"  "[..]));
    assert!(v.stop_ids().is_empty());
}

#[test]
fn byte_level_bpe_encodes_as_itself_without_template_prefix_or_truncation() {
    let v = read(&byte_level()).unwrap();
    assert_eq!(v.encode("hi hi<|end|>").unwrap()[..3], [104, 105, 257]);
    assert_eq!(v.encode("x<tool>").unwrap(), [120, 261]);
    for text in TEXTS {
        assert_eq!(v.decode(&v.encode(text).unwrap()), text.as_bytes());
    }
    // Merges decide, not length: with only the second merge gone, " hi" is not one token.
    let mut file = byte_level();
    file["model"]["merges"] = json!(["Ġ h"]);
    let v = read(&file).unwrap();
    assert_eq!(v.encode(" hi").unwrap(), [256, 105]);
    // The name of a special token does not keep the tokenizer's own splitting from being used.
    assert_eq!(v.encode("<|end|> hi").unwrap()[7..], [256, 105]);
}

#[test]
fn sentence_piece_with_byte_fallback() {
    let v = read(&sentence_piece()).unwrap();
    assert_eq!(v.len(), 266);
    assert_eq!(v.spellable(), &[true; 256]);
    assert_eq!(v.bytes(3 + 0x41), Some(&b"A"[..]));
    assert_eq!(v.bytes(3 + 0xff), Some(&[0xff][..]));
    assert_eq!(v.bytes(259), Some(&b" "[..]));
    assert_eq!(v.bytes(263), Some(&b" hi"[..]), "only the whole text is stripped of its first space");
    assert_eq!(v.bytes(264), Some("한".as_bytes()));
    assert_eq!(v.bytes(265), Some(&b"  "[..]));
    assert_eq!(v.special_tokens().collect::<Vec<_>>(), [(0, "<unk>"), (1, "<s>"), (2, "</s>")]);
    assert_eq!(v.duplicates().collect::<Vec<_>>(), [&[35, 259][..], &[107, 260], &[108, 261]]);
    // No space is put in front, and bytes fall back.
    assert_eq!(v.encode("hi hi한").unwrap(), [262, 263, 264]);
    assert_eq!(v.encode("é").unwrap(), [3 + 0xc3, 3 + 0xa9]);
    // Merges in their order, where the longest match would begin with two spaces.
    assert_eq!(v.encode("  hi").unwrap(), [259, 263]);
    assert_eq!(v.encode_bytes(b"  hi").unwrap(), [265, 262]);
    for text in TEXTS {
        assert_eq!(v.decode(&v.encode(text).unwrap()), text.as_bytes());
    }
}

#[test]
fn unigram_with_metaspace() {
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [added(0, "<unk>", true)],
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true, "prepend_scheme": "always"},
        "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true, "prepend_scheme": "always"},
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
            "vocab": [["<unk>", 0.0], ["▁", -2.0], ["a", -2.5], ["b", -2.5], ["▁ab", -1.25], ["ab", -3.0], ["aa", -9.5]]},
    });
    let v = read(&file).unwrap();
    assert_eq!((v.bytes(0), v.bytes(1), v.bytes(4)), (None, Some(&b" "[..]), Some(&b" ab"[..])));
    assert_eq!(v.encode("ab ab").unwrap(), [5, 4]);
    // By score, where the longest match would be "aa".
    assert_eq!(v.encode("aab").unwrap(), [2, 5]);
    assert_eq!(v.encode_bytes(b"aab").unwrap(), [6, 3]);
    // Without a decoder the pre-tokenizer says the same.
    let mut inferred = file.clone();
    inferred["decoder"] = Value::Null;
    assert_eq!(read(&inferred).unwrap().fingerprint(), v.fingerprint());
}

#[test]
fn decoders_are_inferred_where_absent() {
    for file in [byte_level(), sentence_piece()] {
        let told = read(&file).unwrap();
        let mut file = file;
        file["decoder"] = Value::Null;
        assert_eq!(read(&file).unwrap().fingerprint(), told.fingerprint());
    }
}

#[test]
fn strip_before_fuse_applies_to_each_token() {
    let mut file = sentence_piece();
    file["decoder"]["decoders"] = json!([
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]);
    let v = read(&file).unwrap();
    assert_eq!((v.bytes(263), v.bytes(265), v.bytes(259)), (Some(&b"hi"[..]), Some(&b" "[..]), None));
    assert_eq!(v.bytes(3 + 0x41), Some(&b"<0x41>"[..]), "no byte fallback, so this is text");
}

#[test]
fn what_cannot_be_mapped_is_refused() {
    let mut word_piece = byte_level();
    word_piece["model"]["type"] = "WordPiece".into();
    let mut word_piece_decoder = byte_level();
    word_piece_decoder["decoder"] = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
    let mut regex = sentence_piece();
    regex["decoder"]["decoders"][0]["pattern"] = json!({"Regex": "▁+"});
    let mut unknown = byte_level();
    unknown["decoder"] = json!({"type": "Rot13"});
    let mut nothing = byte_level();
    nothing["decoder"] = Value::Null;
    nothing["pre_tokenizer"] = json!({"type": "Whitespace"});
    let mut same_id = byte_level();
    same_id["model"]["vocab"]["Ġhi"] = 256.into();
    for (file, pointer, text) in [
        (word_piece, Some("/model/type"), "WordPiece"),
        (word_piece_decoder, Some("/decoder"), "WordPiece"),
        (regex, Some("/decoder/decoders/0"), "regular expression"),
        (unknown, Some("/decoder"), "Rot13"),
        (nothing, Some("/decoder"), "no decoder"),
        (same_id, Some("/model/vocab"), "id 256"),
        (json!({"model": {"vocab": 7}}), None, "not a tokenizer.json"),
        (json!({"a": 1}), None, "not a tokenizer.json"),
    ] {
        let error = read(&file).unwrap_err();
        assert_eq!((error.kind(), error.pointer()), (ErrorKind::Vocabulary, pointer), "{error}");
        assert!(error.message().contains(text), "{error}");
    }
    let error = Vocabulary::from_tokenizer_json(b"{", &TokenizerOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidJson);
    let mut huge = byte_level();
    huge["added_tokens"][0]["id"] = u32::MAX.into();
    assert_eq!(read(&huge).unwrap_err().kind(), ErrorKind::LimitExceeded);
}

#[test]
fn options_give_stop_ids_and_width() {
    let json = byte_level().to_string();
    let read = |options| Vocabulary::from_tokenizer_json(json.as_bytes(), &options);
    let v = read(TokenizerOptions::new().stop_ids(&[260, 261]).logits_width(320).name("tiny")).unwrap();
    assert_eq!((v.stop_ids(), v.width(), v.name()), (&[260, 261][..], 320, "tiny"));
    assert_eq!((v.bytes(261), v.special("<tool>")), (None, Some(261)));
    // The tokenizer's own splitting would use the token that is now special.
    assert_eq!(v.decode(&v.encode("<tool>").unwrap()), b"<tool>");
    assert!(read(TokenizerOptions::new().stop_ids(&[263])).is_err());
    assert!(read(TokenizerOptions::new().logits_width(262)).is_err());
}

/// A directory of its own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("warpgrammar-vocab-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("tokenizer.json"), byte_level().to_string()).unwrap();
        Directory(path)
    }

    fn read(&self, options: &TokenizerOptions) -> crate::Result<Vocabulary> {
        Vocabulary::from_file(self.0.join("tokenizer.json"), options)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn generation_config_gives_stop_ids() {
    let directory = Directory::new("config");
    let defaults = TokenizerOptions::new();
    let v = directory.read(&defaults).unwrap();
    assert!(v.stop_ids().is_empty());
    assert!(v.name().ends_with("-config"), "{}", v.name());
    for (config, expected) in [
        (json!({"eos_token_id": 260}), &[260][..]),
        (json!({"eos_token_id": [260, 10]}), &[260, 10]),
        (json!({"eos_token_id": null}), &[]),
        (json!({"bos_token_id": 1}), &[]),
    ] {
        fs::write(directory.0.join("generation_config.json"), config.to_string()).unwrap();
        assert_eq!(directory.read(&defaults).unwrap().stop_ids(), expected);
        assert_eq!(directory.read(&TokenizerOptions::new().stop_ids(&[261])).unwrap().stop_ids(), [261]);
    }
    for config in
        ["{\"eos_token_id\": \"</s>\"}", "{\"eos_token_id\": [1.5]}", "{\"eos_token_id\": 999}", "{"]
    {
        fs::write(directory.0.join("generation_config.json"), config).unwrap();
        assert!(directory.read(&defaults).is_err(), "{config}");
    }
    let error = Vocabulary::from_file(directory.0.join("none.json"), &defaults).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.message().contains("none.json"), "{error}");
}
