use crate::vocab::{SliceId, Vocabulary};

/// Number of characters if the token consists of whole characters of the slice: the definition.
fn member_chars(v: &Vocabulary, slice: SliceId, id: u32) -> Option<u32> {
    let text = std::str::from_utf8(v.bytes(id)?).ok()?;
    text.chars().all(|c| slice.contains_char(c)).then(|| text.chars().count() as u32)
}

fn ids_of(words: &[u32]) -> Vec<u32> {
    let bits = |(i, word): (usize, &u32)| {
        let word = *word;
        (0..32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| i as u32 * 32 + bit)
    };
    words.iter().enumerate().flat_map(bits).collect()
}

fn check_against_definition(v: &Vocabulary) {
    let slices = v.slices();
    for id in SliceId::ALL {
        let slice = slices.get(id);
        let members: Vec<Option<u32>> = (0..v.len() as u32).map(|t| member_chars(v, id, t)).collect();
        let upto = |max: u32| -> Vec<u32> {
            (0..v.len() as u32).filter(|&t| members[t as usize].is_some_and(|chars| chars <= max)).collect()
        };
        assert_eq!(slice.len(), members.iter().flatten().count());
        assert_eq!(slice.max_chars(), members.iter().flatten().copied().max().unwrap_or(0));
        for max in (0..20).chain([99, 254, 255, 256, 299, 300, 301, u32::MAX]) {
            let mask = slice.bitmap(max);
            assert_eq!(mask.words.len(), v.width().div_ceil(32));
            assert!(mask.bound <= max || mask.bound == u32::MAX && slice.max_chars() <= max);
            assert_eq!(ids_of(mask.words), upto(mask.bound), "{} {max}", id.name());
            let mut exact = ids_of(mask.words);
            exact.extend_from_slice(slice.tokens_between(mask.bound, max));
            exact.sort_unstable();
            assert_eq!(exact, upto(max), "{} {max}", id.name());
        }
        for t in 0..v.width() as u32 {
            let member = members.get(t as usize).copied().flatten();
            assert_eq!(slice.contains(t), member.is_some());
        }
        let mut rest = slice.rest().tokens_sorted().to_vec();
        rest.sort_unstable();
        let others = |&t: &u32| v.bytes(t).is_some() && members[t as usize].is_none();
        assert_eq!(rest, (0..v.len() as u32).filter(others).collect::<Vec<_>>());
    }
}

#[test]
fn bitmaps_follow_the_definition_on_edge_cases() {
    let mut tokens: Vec<Option<Vec<u8>>> = [
        "a",
        "é",
        "\"",
        "\\",
        "\u{1f}",
        "\u{7f}",
        " ",
        "ab\"",
        "abc",
        "abcd",
        "abcde",
        "ABCDEFG",
        "0123456789abcdef",
        "_-",
        "a_b",
        "😀",
        "😀😀",
        "\u{80}",
        "\u{10ffff}x",
        "~",
        "g",
    ]
    .iter()
    .map(|t| Some(t.as_bytes().to_vec()))
    .collect();
    tokens.extend([None, Some(vec![]), Some(vec![0xc3]), Some(vec![0xa9]), Some(vec![b'a', 0xff])]);
    tokens.extend([254, 255, 256, 300].map(|n| Some(vec![b'a'; n])));
    tokens.push(Some("é".repeat(300).into_bytes()));
    let v = Vocabulary::from_tokens(tokens).unwrap().with_logits_width(70).unwrap();
    check_against_definition(&v);
    // Width and stop ids reach the bitmaps.
    let v = v.with_stop_ids(&[0]).unwrap().with_logits_width(130).unwrap();
    assert_eq!(v.slices().get(SliceId::ALPHA).bitmap(1).words, [1 << 20, 0, 0, 0, 0]);
    check_against_definition(&v);
}

#[test]
fn bitmaps_follow_the_definition_on_real_vocabularies() {
    check_against_definition(&Vocabulary::cl100k_base().unwrap());
    let v = Vocabulary::o200k_base().unwrap();
    check_against_definition(&v);
    let plain = v.slices().get(SliceId::PLAIN);
    assert_eq!((plain.len(), plain.rest().len()), (194_033, 5_965));
}

#[test]
fn characters_are_counted_and_saturate() {
    let tokens: Vec<Option<Vec<u8>>> = vec![
        Some("aé😀".into()),
        Some(vec![0xc3]),
        None,
        Some(vec![b'a'; 254]),
        Some(vec![b'a'; 255]),
        Some("é".repeat(700).into()),
        Some("\"\n".into()),
    ];
    let v = Vocabulary::from_tokens(tokens).unwrap();
    let chars: Vec<_> = (0..8).map(|id| v.slices().chars(id)).collect();
    assert_eq!(chars, [Some(3), None, None, Some(254), Some(255), Some(255), Some(2), None]);
}

#[test]
fn classes_hold_the_characters_they_are_documented_to() {
    use regex_automata::meta::Regex;
    let classes = [
        (SliceId::PLAIN, r#"[^\x00-\x1f"\\]"#),
        (SliceId::ASCII_PLAIN, r#"[\x20-\x21\x23-\x5b\x5d-\x7e]"#),
        (SliceId::IDENT, "[A-Za-z0-9_-]"),
        (SliceId::WORD, "[A-Za-z0-9_]"),
        (SliceId::ALNUM, "[A-Za-z0-9]"),
        (SliceId::SLUG, "[a-z0-9_-]"),
        (SliceId::ALPHA, "[A-Za-z]"),
        (SliceId::ALPHA_LOWER, "[a-z]"),
        (SliceId::ALPHA_UPPER, "[A-Z]"),
        (SliceId::HEX, "[0-9A-Fa-f]"),
        (SliceId::HEX_LOWER, "[0-9a-f]"),
        (SliceId::DIGITS, "[0-9]"),
    ];
    assert_eq!(classes.map(|(id, _)| id), SliceId::ALL);
    for (i, (id, pattern)) in classes.into_iter().enumerate() {
        assert_eq!((id.index(), SliceId::from_index(i)), (i, Some(id)));
        let class = Regex::new(&format!("(?s)^{pattern}$")).unwrap();
        let mut bytes = [false; 256];
        let mut buffer = [0; 4];
        for c in '\0'..=char::MAX {
            let text = c.encode_utf8(&mut buffer);
            // Beyond Latin, a sample: the regex takes its time.
            let sampled = (c as u32) < 0x400 || (c as u32).is_multiple_of(61);
            if sampled {
                assert_eq!(id.contains_char(c), class.is_match(text.as_bytes()), "{} {c:?}", id.name());
            }
            if id.contains_char(c) {
                text.bytes().for_each(|b| bytes[usize::from(b)] = true);
            }
        }
        let told: Vec<bool> = (0..=255).map(|b| id.contains_byte(b)).collect();
        assert_eq!(told, bytes, "{}", id.name());
    }
    assert_eq!(SliceId::from_index(12), None);
}
