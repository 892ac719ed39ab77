//! Bodies that mean no good: every API answers with an error or reads them, and none panics.

use proptest::prelude::*;
use serde_json::json;
use warpgrammar::api::{Endpoint, batch::parse_line};
use warpgrammar::chat::{Framing, Plan, template};
use warpgrammar::strict::{PROFILES, check};

#[path = "common/bodies.rs"]
mod bodies;

use bodies::{PATHS, good, replace, value};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_body_panics(part in value(), at in 0usize..60) {
        for path in PATHS {
            let endpoint = Endpoint::of(path).unwrap();
            let mut body = good(path);
            prop_assert!(endpoint.read(&body).is_ok(), "{path}");
            replace(&mut body, &mut { at }, &part);
            match endpoint.read(&body) {
                Ok(request) => {
                    let framing = Framing { refusal: Some("<no>".into()), ..Framing::default() };
                    Plan::new(request.generation(), &framing);
                    template::prompt(request.generation(), &framing);
                }
                Err(error) => {
                    prop_assert_eq!(error.status, 400);
                    prop_assert!(!error.message.is_empty());
                    // The pointer is one, and leads into the body as far as the body goes.
                    prop_assert!(error.pointer.is_empty() || error.pointer.starts_with('/'));
                }
            }
            let line = json!({"custom_id": "a", "method": "POST", "url": path, "body": body}).to_string();
            if let Err(error) = parse_line(1, &line) {
                prop_assert_eq!(&error.to_json("")["response"]["status_code"], &json!(400));
            }
        }
    }

    #[test]
    fn no_schema_panics(schema in value()) {
        for profile in PROFILES {
            let _ = check(&schema, profile);
        }
    }
}
