//! Resolution of URI references: RFC 3986, section 5.
//!
//! Identifiers are compared as text, as JSON Schema asks; nothing is decoded or fetched.

/// A URI reference without its fragment, in its parts (RFC 3986, appendix B).
#[derive(Clone, Copy)]
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (text, query) = match text.split_once('?') {
            Some((text, query)) => (text, Some(query)),
            None => (text, None),
        };
        let (scheme, text) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, text),
        };
        let (authority, path) = match text.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, text),
        };
        Parts { scheme, authority, path, query }
    }

    fn write(self, path: &str) -> String {
        let mut out = String::new();
        if let Some(scheme) = self.scheme {
            out += &scheme.to_ascii_lowercase();
            out.push(':');
        }
        if let Some(authority) = self.authority {
            out += "//";
            out += authority;
        }
        out += path;
        if let Some(query) = self.query {
            out.push('?');
            out += query;
        }
        out
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// The reference and its fragment, if it has one.
pub(crate) fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('#') {
        Some((uri, fragment)) => (uri, Some(fragment)),
        None => (text, None),
    }
}

/// What `reference`, which has no fragment, means where `base` is the base URI.
pub(crate) fn resolve(base: &str, reference: &str) -> String {
    let (b, r) = (Parts::of(base), Parts::of(reference));
    if r.scheme.is_some() {
        return r.write(&without_dots(r.path));
    }
    if r.authority.is_some() {
        return Parts { scheme: b.scheme, ..r }.write(&without_dots(r.path));
    }
    if r.path.is_empty() {
        return Parts { query: r.query.or(b.query), ..b }.write(b.path);
    }
    let target = Parts { query: r.query, ..b };
    if r.path.starts_with('/') {
        return target.write(&without_dots(r.path));
    }
    let folder = match b.path.rfind('/') {
        Some(end) => &b.path[..=end],
        None if b.authority.is_some() => "/",
        None => "",
    };
    target.write(&without_dots(&format!("{folder}{}", r.path)))
}

/// The path without its `.` and `..` segments.
fn without_dots(path: &str) -> String {
    if !path.split('/').any(|segment| segment == "." || segment == "..") {
        return path.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    let (absolute, segments) = match path.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", path),
    };
    let last = segments.split('/').count() - 1;
    for (i, segment) in segments.split('/').enumerate() {
        match segment {
            ".." => drop(kept.pop()),
            "." => {}
            _ => kept.push(segment),
        }
        if i == last && matches!(segment, "." | "..") {
            kept.push("");
        }
    }
    format!("{absolute}{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::resolve;

    /// The examples of RFC 3986, section 5.4.
    #[test]
    fn examples_of_the_standard() {
        for (reference, target) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("g..", "http://a/b/c/g.."),
            ("./g/.", "http://a/b/c/g/"),
            ("g/../h", "http://a/b/c/h"),
        ] {
            assert_eq!(resolve("http://a/b/c/d;p?q", reference), target, "{reference}");
        }
    }

    #[test]
    fn bases_without_folders() {
        assert_eq!(resolve("http://a", "g"), "http://a/g");
        assert_eq!(resolve("urn:uuid:1", ""), "urn:uuid:1");
        assert_eq!(resolve("urn:uuid:1", "urn:x:y"), "urn:x:y");
        assert_eq!(resolve("tag:a/b", "c"), "tag:a/c");
        assert_eq!(resolve("HTTP://a/b", "c"), "http://a/c");
    }
}
