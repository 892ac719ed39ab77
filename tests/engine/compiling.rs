//! The compiler: shared, cached.

use std::sync::Arc;

use serde_json::{Value, json};
use warpgrammar::engine::Finish;
use warpgrammar::{Compiler, CompilerOptions, ErrorKind, Grammar};

use crate::support::*;

#[test]
fn the_compiler_is_shared_by_threads_and_remembers() {
    let vocab = vocabulary();
    let compiler = compiler(&vocab);
    let schemas: Vec<Value> = (0..6)
        .map(|i| json!({"type": "object", "properties": {format!("k{i}"): {"type": "integer"}}}))
        .collect();
    let all: Vec<Vec<Arc<Grammar>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| schemas.iter().map(|s| compiler.compile(s).unwrap()).collect()))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(all.iter().all(|list| list.iter().zip(&all[0]).all(|(a, b)| Arc::ptr_eq(a, b))));
    assert!((1..6).all(|i| all[0][0] != all[0][i]));
    let (entries, bytes) = compiler.cache_usage();
    assert_eq!(entries, 6);
    assert!(bytes > 0);
    assert!(Arc::ptr_eq(&compiler.compile_str(&schemas[0].to_string()).unwrap(), &all[0][0]));

    // Errors are remembered too, and alike.
    let bad = json!({"type": "string", "minLength": 3, "maxLength": 2});
    let (a, b) = (compiler.compile(&bad).unwrap_err(), compiler.compile(&bad).unwrap_err());
    assert_eq!(a, b);
    assert_eq!(a.kind(), ErrorKind::Unsatisfiable);

    // A small cache forgets, but slots keep what they use.
    let options = CompilerOptions { max_cache_bytes: 1, ..CompilerOptions::default() };
    let forgetful = Compiler::new(vocab.clone(), options).unwrap();
    let first = forgetful.compile(&person()).unwrap();
    let mut engine = engine(&vocab, 2);
    let id = engine.admit(with(&first)).unwrap();
    drop(first);
    for schema in &schemas {
        forgetful.compile(schema).unwrap();
        assert!(forgetful.cache_usage().0 <= 1);
    }
    spell(&mut engine, id, "{\"name\":\"\",\"items\":[1]}");
    assert_eq!(engine.finish(id).unwrap(), Some(Finish::Stop));
}

/// A schema's text never stands for JSON mode.
#[test]
fn the_text_json_object_is_no_schema() {
    let vocab = vocabulary();
    let compiler = compiler(&vocab);
    assert_eq!(kind(compiler.compile_str("json_object")), Some(ErrorKind::InvalidJson));
    assert!(compiler.json_object().is_ok());
    assert_eq!(kind(compiler.compile_str("json_object")), Some(ErrorKind::InvalidJson));
}
