//! temp
use super::*;
use std::sync::{Arc, OnceLock};
pub fn number(spec: &NumberSpec) -> crate::Result<ByteDfa> {
    let re = if let Some(c) = &spec.constant {
        format!("^{}$", c.replace(".", "\\.").replace("+", "\\+"))
    } else if spec.integer || spec.multiple_of.is_some() {
        r"^-?(0|[1-9][0-9]{0,14})$".into()
    } else {
        r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?$".to_string()
    };
    compile_pattern(&re, &PatternLimits::default())
}
pub fn any_number() -> Arc<ByteDfa> {
    static A: OnceLock<Arc<ByteDfa>> = OnceLock::new();
    A.get_or_init(|| Arc::new(number(&NumberSpec::default()).unwrap())).clone()
}
