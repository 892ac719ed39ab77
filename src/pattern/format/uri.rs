//! URIs (RFC 3986, appendix A), IRIs (RFC 3987, section 2.2) and URI templates (RFC 6570).

use super::ipv6;

const SCHEME: &str = r"[A-Za-z][A-Za-z0-9+.\-]*";
const UNRESERVED: &str = r"A-Za-z0-9\-._~";
const SUB_DELIMS: &str = r"!$&'()*+,;=";
const PERCENT: &str = "%[0-9A-Fa-f]{2}";
/// `ucschar`: what an IRI has beyond a URI. No private use, no noncharacters, no surrogates.
const UCS: &str = concat!(
    r"\u00A0-\uD7FF\uF900-\uFDCF\uFDF0-\uFFEF\u{10000}-\u{1FFFD}\u{20000}-\u{2FFFD}\u{30000}-\u{3FFFD}",
    r"\u{40000}-\u{4FFFD}\u{50000}-\u{5FFFD}\u{60000}-\u{6FFFD}\u{70000}-\u{7FFFD}\u{80000}-\u{8FFFD}",
    r"\u{90000}-\u{9FFFD}\u{A0000}-\u{AFFFD}\u{B0000}-\u{BFFFD}\u{C0000}-\u{CFFFD}\u{D0000}-\u{DFFFD}",
    r"\u{E1000}-\u{EFFFD}"
);
/// `iprivate`, which the query of an IRI may hold.
const PRIVATE: &str = r"\uE000-\uF8FF\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}";

/// The pattern of a URI or IRI; with `relative`, of a reference.
pub(super) fn uri(international: bool, relative: bool) -> String {
    let (more, private) = if international { (UCS, PRIVATE) } else { ("", "") };
    let of = |extra: &str| format!("(?:[{UNRESERVED}{SUB_DELIMS}{more}{extra}]|{PERCENT})");
    let (segment, colonless) = (of(":@"), of("@"));
    let address = ipv6();
    let future = format!(r"[vV][0-9A-Fa-f]+\.[{UNRESERVED}{SUB_DELIMS}:]+");
    let host = format!(r"(?:\[(?:{address}|{future})\]|{}*)", of(""));
    let authority = format!(r"(?:{}*@)?{host}(?::\d*)?", of(":"));
    let below = format!("(?:/{segment}*)*");
    let absolute = format!("/(?:{segment}+{below})?");
    let tail = format!(r"(?:\?{}*)?(?:#{}*)?", of(&format!(":@/?{private}")), of(":@/?"));
    let full = format!("{SCHEME}:(?://{authority}{below}|{absolute}|{segment}+{below}|){tail}");
    if !relative {
        return format!("^{full}$");
    }
    // Without a scheme the first segment holds no colon.
    format!("^(?:{full}|(?://{authority}{below}|{absolute}|{colonless}+{below}|){tail})$")
}

/// The pattern of a URI template, literals as erratum 6937 has them (with the apostrophe).
pub(super) fn template() -> String {
    let literal = format!(r"[!#$&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~{UCS}{PRIVATE}]");
    let character = format!("(?:[A-Za-z0-9_]|{PERCENT})");
    let variable = format!(r"{character}(?:\.?{character})*(?::[1-9]\d{{0,3}}|\*)?");
    format!(r"^(?:{literal}|{PERCENT}|\{{[+#./;?&=,!@|]?{variable}(?:,{variable})*\}})*$")
}
