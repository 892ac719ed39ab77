//! Identifiers that are a function of what they identify.

/// `prefix` and 24 hexadecimal digits that depend on `parts` only.
///
/// A batch that is run twice gives its lines the same ids, so outputs can be compared as text. The
/// digits are two rounds of FNV-1a: they tell requests apart and protect nothing.
pub fn identifier(prefix: &str, parts: &[&str]) -> String {
    let first = fnv1a(0xcbf2_9ce4_8422_2325, parts);
    let second = fnv1a(first ^ 0x9e37_79b9_7f4a_7c15, parts);
    format!("{prefix}{first:016x}{:08x}", second >> 32)
}

/// FNV-1a over the parts, each closed by a byte that UTF-8 never holds.
fn fnv1a(basis: u64, parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(basis, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// A 64-bit seed that depends on `parts` and `base` only.
pub fn derived_seed(base: u64, parts: &[&str]) -> u64 {
    // The last step of SplitMix64, because FNV-1a's high bits change little with the last bytes.
    let mut z = fnv1a(0xcbf2_9ce4_8422_2325, parts).wrapping_add(base.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_depend_on_every_part() {
        let id = identifier("batch_req_", &["a", "bc"]);
        assert_eq!(id, identifier("batch_req_", &["a", "bc"]));
        assert_ne!(id, identifier("batch_req_", &["ab", "c"]));
        assert_eq!(id.len(), "batch_req_".len() + 24);
        assert_ne!(derived_seed(0, &["a"]), derived_seed(1, &["a"]));
        assert_ne!(derived_seed(0, &["a"]), derived_seed(0, &["b"]));
    }
}
