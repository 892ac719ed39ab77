//! The command line as a person or a script meets it: files in, files out, exit codes, messages.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A folder of its own for one test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("warpgrammar-cli-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn warpgrammar(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_warpgrammar")).args(args).output().unwrap()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn schema(name: &str) -> String {
    examples().join("schemas").join(format!("{name}.json")).display().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A result file's lines by `custom_id`, without what depends on the time of day.
fn results(path: &Path) -> BTreeMap<String, Value> {
    let lines = std::fs::read_to_string(path).unwrap();
    assert!(lines.is_empty() || lines.ends_with('\n'));
    let mut out = BTreeMap::new();
    for line in lines.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if let Some(body) = line["response"]["body"].as_object_mut() {
            body.remove("created");
        }
        let id = line["custom_id"].as_str().unwrap_or_default().to_owned();
        assert!(out.insert(id.clone(), line).is_none(), "{id} twice");
    }
    out
}

fn request(custom_id: &str, body: Value) -> String {
    let mut all = json!({"model": "m", "messages": [{"role": "user", "content": "Pay Ann 12 dollars."}]});
    for (key, value) in body.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": all}).to_string()
}

fn format(schema: Value) -> Value {
    json!({"type": "json_schema", "json_schema": {"name": "test", "schema": schema}})
}

/// The schemas of a request: of content, and of arguments by the function's name.
fn schemas(body: &Value) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    let formats = ["/response_format/json_schema/schema", "/text/format/schema", "/responseFormat/schema"];
    if let Some(schema) = formats.iter().find_map(|at| body.pointer(at)) {
        out.insert("content".to_owned(), schema.clone());
    }
    if body.pointer("/response_format/type") == Some(&json!("json_object")) {
        out.insert("content".to_owned(), json!({"type": "object"}));
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        let function = tool.get("function").unwrap_or(tool);
        out.insert(function["name"].as_str().unwrap().to_owned(), function["parameters"].clone());
    }
    out
}

/// What a reply of any API says: content, or arguments with the function's name.
fn said(reply: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let content = |value: &Value| ("content".to_owned(), text(value));
    let call = |of: &Value| (text(&of["name"]), text(&of["arguments"]));
    if let Some(result) = reply.get("result") {
        return vec![content(&result["message"]["content"])];
    }
    if let Some(items) = reply["output"].as_array() {
        let item = |item: &Value| match item["type"].as_str() {
            Some("message") => content(&item["content"][0]["text"]),
            _ => call(item),
        };
        return items.iter().map(item).collect();
    }
    let mut out = Vec::new();
    for choice in reply["choices"].as_array().unwrap() {
        let message = &choice["message"];
        match message["tool_calls"].as_array() {
            Some(calls) => out.extend(calls.iter().map(|c| call(&c["function"]))),
            None => out.push(content(&message["content"])),
        }
    }
    out
}

#[test]
fn every_example_is_answered_and_its_answer_is_valid() {
    let folder = Folder::new("examples");
    let out = folder.path("out.jsonl");
    let input = examples().join("requests.jsonl");
    let run = warpgrammar(&["batch", input.to_str().unwrap(), "-o", out.to_str().unwrap(), "--json"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let summary: Value = serde_json::from_slice(&run.stdout).unwrap();
    let results = results(&out);
    assert_eq!((&summary["failed"], &summary["answered"]), (&json!(0), &json!(results.len())));
    assert!(!folder.path("out.errors.jsonl").exists());
    for line in std::fs::read_to_string(input).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let id = line["custom_id"].as_str().unwrap();
        let reply = &results[id]["response"]["body"];
        let schemas = schemas(&line["body"]);
        let said = said(reply);
        assert_eq!(said.len(), line["body"]["n"].as_u64().unwrap_or(1) as usize, "{id}");
        for (what, text) in said {
            let Some(schema) = schemas.get(&what) else {
                assert!(what == "content" && schemas.is_empty(), "{id}: {what}");
                continue;
            };
            let value: Value = serde_json::from_str(&text).expect(id);
            assert!(jsonschema::is_valid(schema, &value), "{id}: {text}");
        }
    }
    let choice = |id: &str, k: usize| results[id]["response"]["body"]["choices"][k].clone();
    assert_eq!(choice("calendar-event", 0)["finish_reason"], "stop");
    assert_eq!(choice("call-required", 0)["finish_reason"], "tool_calls");
    assert_eq!(choice("call-named", 1)["finish_reason"], "stop");
    assert_eq!(results["responses-event"]["response"]["body"]["status"], "completed");
    let clova = &results["clova-forecast"]["response"]["body"]["result"];
    assert_eq!((&clova["finishReason"], &clova["seed"]), (&json!("stop"), &json!(7)));
    let logprobs = &results["item-address"]["response"]["body"]["choices"][0]["logprobs"]["content"];
    let spelt: String = logprobs.as_array().unwrap().iter().map(|t| t["token"].as_str().unwrap()).collect();
    let content = &results["item-address"]["response"]["body"]["choices"][0]["message"]["content"];
    assert_eq!(content, &spelt);
    assert_eq!(logprobs[0]["top_logprobs"].as_array().unwrap().len(), 2);
}

#[test]
fn bad_lines_go_to_the_error_file_and_the_others_on() {
    let folder = Folder::new("errors");
    let lines = [
        request("good", json!({"max_tokens": 20})),
        String::new(),
        "not json".into(),
        request("good", json!({})),
        request("hot", json!({"temperature": 3})),
        request("short", json!({"max_tokens": 1, "response_format": format(json!({"type": "object"}))})),
        request("schema", json!({"response_format": format(json!({"properties": {"a": {"type": 7}}}))})),
        request("never", json!({"response_format": format(json!(false))})),
    ];
    let input = folder.write("in.jsonl", &lines.join("\n"));
    let (out, errors) = (folder.path("out.jsonl"), folder.path("bad.jsonl"));
    let args =
        ["batch", input.to_str().unwrap(), "-o", out.to_str().unwrap(), "--errors", errors.to_str().unwrap()];
    let run = warpgrammar(&args);
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert_eq!(results(&out).into_keys().collect::<Vec<_>>(), ["good"]);
    let bad: Vec<Value> = std::fs::read_to_string(&errors)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbers: std::collections::BTreeSet<u64> = bad.iter().map(|e| e["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8]);
    let message = |line: u64| {
        let error = bad.iter().find(|e| e["line"] == line).unwrap();
        assert_eq!(error["response"]["status_code"], 400, "{error}");
        error["response"]["body"]["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(message(3).contains("not JSON"));
    assert!(message(4).contains("taken by line 1"));
    assert!(message(5).contains("'temperature'"));
    assert!(message(7).contains("In context=('properties', 'a'"), "{}", message(7));
    assert!(message(8).starts_with("Invalid schema for response_format 'test'"), "{}", message(8));

    // Gone on with, there is nothing left to do: not even the duplicate, which shares a name with a reply.
    let before = (std::fs::read(&out).unwrap(), std::fs::read(&errors).unwrap());
    let run = warpgrammar(&[&args[..], &["--resume", "--json"]].concat());
    let summary: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&summary["answered"], &summary["done_before"]), (&json!(0), &json!(7)));
    assert_eq!(before, (std::fs::read(&out).unwrap(), std::fs::read(&errors).unwrap()));
}

#[test]
fn an_interrupted_batch_is_gone_on_with() {
    let folder = Folder::new("resume");
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
                        "additionalProperties": false});
    let lines: Vec<String> = (0..6)
        .map(|k| request(&format!("r{k}"), json!({"response_format": format(schema.clone())})))
        .collect();
    let input = folder.write("in.jsonl", &lines.join("\n"));
    let out = folder.path("out.jsonl");
    let args = ["batch", input.to_str().unwrap(), "-o", out.to_str().unwrap(), "--slots"];
    assert!(warpgrammar(&[&args[..], &["2"]].concat()).status.success());
    let whole = results(&out);
    assert_eq!(whole.len(), 6);

    // Killed in the middle of a line, anywhere: the same results, each once.
    let bytes = std::fs::read(&out).unwrap();
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&out, &bytes[..cut]).unwrap();
        assert!(warpgrammar(&[&args[..], &["3", "--resume"]].concat()).status.success());
        assert_eq!(results(&out), whole, "cut at {cut}");
    }
}

#[test]
fn a_batch_does_not_destroy_its_input() {
    let folder = Folder::new("same");
    let input = folder.write("in.jsonl", &request("a", json!({})));
    let run = warpgrammar(&["batch", input.to_str().unwrap(), "-o", input.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(1));
    assert!(text(&run.stderr).contains("same file"));
    assert!(!std::fs::read(&input).unwrap().is_empty());
}

#[test]
fn generate_writes_one_valid_text() {
    let schema = schema("calendar_event");
    let run = |seed: &str| {
        let prompt = "Name: Robotics dinner\nDate: Thursday";
        let args = ["generate", &schema, "--prompt", prompt, "--seed", seed, "--whitespace", "indent=2"];
        let run = warpgrammar(&args);
        assert!(run.status.success(), "{}", text(&run.stderr));
        text(&run.stdout)
    };
    let one = run("7");
    assert_eq!(one, run("7"));
    assert!(one.starts_with("{\n  \"name\": "), "{one}");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&schema).unwrap()).unwrap();
    assert!(jsonschema::is_valid(&document, &serde_json::from_str(&one).unwrap()));
}

#[test]
fn check_says_what_is_wrong_and_where() {
    let folder = Folder::new("check");
    let good = warpgrammar(&["check", &schema("ui")]);
    assert!(good.status.success() && text(&good.stdout).starts_with("ok: "), "{good:?}");
    let good = warpgrammar(&["check", "--json", &schema("ui")]);
    let good: Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!(good["ok"], true);

    let bad = folder.write("bad.json", r#"{"properties": {"a": {"type": 7}}}"#);
    let run = warpgrammar(&["check", bad.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(1));
    assert!(text(&run.stderr).starts_with("error: invalid schema at #/properties/a"), "{run:?}");
    let run = warpgrammar(&["check", "--json", bad.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(1));
    let refused: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&refused["ok"], &refused["kind"]), (&json!(false), &json!("invalid schema")));

    // Leniently, what is not enforced is warned about.
    let lax = folder
        .write("lax.json", r#"{"properties": {"a": {"uniqueItems": true}, "b": {"uniqueItems": true}}}"#);
    let run = warpgrammar(&["check", "--lenient", lax.to_str().unwrap()]);
    assert!(
        run.status.success() && text(&run.stderr).contains("warning at #/properties/a/uniqueItems: "),
        "{run:?}"
    );
    let run = warpgrammar(&["check", "--lenient", "--json", lax.to_str().unwrap()]);
    let accepted: Value = serde_json::from_slice(&run.stdout).unwrap();
    let pointers: Vec<&Value> =
        accepted["warnings"].as_array().unwrap().iter().map(|w| &w["pointer"]).collect();
    assert_eq!(pointers, ["/properties/a/uniqueItems", "/properties/b/uniqueItems"]);
    assert_eq!(warpgrammar(&["check", lax.to_str().unwrap()]).status.code(), Some(1));
    // A line for each problem.
    let worse = folder.write("worse.json", r#"{"minItems": -1, "properties": {"a": {"type": 7}}}"#);
    let run = warpgrammar(&["check", worse.to_str().unwrap()]);
    let lines: Vec<String> = text(&run.stderr).lines().map(str::to_owned).collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("error: invalid schema at #/properties/a/type"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("error: invalid schema at #/minItems"), "{lines:?}");
    let run = warpgrammar(&["check", "--json", worse.to_str().unwrap()]);
    let refused: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(refused["problems"][1]["pointer"], "/minItems");

    let missing = warpgrammar(&["check", "nowhere.json"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("nowhere.json"));
    assert_eq!(warpgrammar(&["check"]).status.code(), Some(2));
}

#[test]
fn check_speaks_for_vendors() {
    let folder = Folder::new("profile");
    let good = schema("calendar_event");
    for profile in ["openai-2026", "openai-2024", "azure"] {
        let run = warpgrammar(&["check", "--profile", profile, &good]);
        assert!(run.status.success() && text(&run.stdout).starts_with("ok: "), "{run:?}");
    }
    let bad = folder.write("bad.json", r#"{"type": "object", "properties": {"a": {"type": "string"}}}"#);
    let bad = bad.to_str().unwrap();
    assert!(warpgrammar(&["check", bad]).status.success());
    let words = "In context=(), 'additionalProperties' is required to be supplied and to be false.";
    let run = warpgrammar(&["check", "--profile", "openai-2026", bad]);
    assert_eq!(
        (run.status.code(), text(&run.stderr)),
        (Some(1), format!("error: unsupported keyword at #: {words}\n"))
    );
    let run = warpgrammar(&["check", "--json", "--profile", "azure", bad]);
    let refused: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&refused["ok"], &refused["message"]), (&json!(false), &json!(words)));
    assert!(warpgrammar(&["check", "--profile", "clova", bad]).status.success());
    assert_eq!(warpgrammar(&["check", "--profile", "nobody", bad]).status.code(), Some(2));
}

#[test]
fn a_refusal_is_a_way_of_its_own() {
    let folder = Folder::new("refusal");
    let marker = warpgrammar::vocab::Vocabulary::o200k_base().unwrap().encode("<refuse>").unwrap();
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
                        "additionalProperties": false});
    // A model that begins with the marker's first token, and one that does not.
    let refusing = json!({"response_format": format(schema.clone()), "logit_bias": {marker[0].to_string(): 100},
                          "max_tokens": 40, "n": 3, "temperature": 0});
    let answering = json!({"response_format": format(schema), "logit_bias": {marker[0].to_string(): -100}});
    let input = folder.write("in.jsonl", &[request("no", refusing), request("yes", answering)].join("\n"));
    let out = folder.path("out.jsonl");
    let args =
        ["batch", input.to_str().unwrap(), "-o", out.to_str().unwrap(), "--refusal-marker", "<refuse>"];
    let run = warpgrammar(&args);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let results = results(&out);
    let choices = |id: &str| results[id]["response"]["body"]["choices"].as_array().unwrap().clone();
    assert_eq!(choices("no").len(), 3);
    for choice in choices("no") {
        assert!(
            choice["message"]["content"].is_null() && choice["message"]["refusal"].is_string(),
            "{choice}"
        );
    }
    let answer = &choices("yes")[0]["message"];
    assert!(answer["refusal"].is_null() && answer["content"].as_str().unwrap().starts_with('{'), "{answer}");
    let none = warpgrammar(&["batch", "x", "-o", "y", "--refusal-marker", ""]);
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn schemas_are_given_beside_the_main_one() {
    let folder = Folder::new("with");
    std::fs::create_dir_all(folder.path("shared/deep")).unwrap();
    folder.write("shared/deep/name.json", r#"{"$id": "http://example.com/name", "type": "string"}"#);
    folder.write("shared/note.txt", "no schema");
    let main = folder.write(
        "main.json",
        r##"{"properties": {"a": {"$ref": "deep/name.json"}, "b": {"$ref": "http://example.com/name"}}}"##,
    );
    let (main, dir) = (main.to_str().unwrap(), folder.path("shared"));
    let (dir, name) = (dir.to_str().unwrap(), folder.path("shared/deep/name.json"));
    let alone = warpgrammar(&["check", main]);
    assert!(text(&alone.stderr).contains("another document, \"deep/name.json\""), "{alone:?}");
    assert!(warpgrammar(&["check", "--schema-dir", dir, main]).status.success());
    let by_file = format!("deep/name.json={}", name.display());
    assert!(warpgrammar(&["check", "--with", &by_file, main]).status.success());
    let twice = warpgrammar(&["check", "--with", &by_file, "--schema-dir", dir, main]);
    assert!(text(&twice.stderr).contains("is given twice"), "{twice:?}");
}

#[test]
fn accept_judges_the_text_as_it_stands() {
    let folder = Folder::new("accept");
    let schema = schema("get_delivery_date");
    let judge = |instance: &str| {
        let path = folder.write("instance.json", instance);
        let run = warpgrammar(&["accept", &schema, path.to_str().unwrap()]);
        (run.status.code(), text(&run.stdout))
    };
    assert_eq!(judge("{\"order_id\": \"48213\"}\n"), (Some(0), "accepted\n".into()));
    let (code, said) = judge("{\"order\": 1}");
    assert_eq!(code, Some(1));
    assert!(said.starts_with("refused at token ") && said.contains("byte 7 (line 1, column 8)"), "{said}");
    assert!(judge("{\"order_id\": \"4").1.contains("not complete"));
}

#[test]
fn inspect_prints_a_listing_or_a_graph() {
    let listing = warpgrammar(&["inspect", &schema("get_delivery_date")]);
    assert!(listing.status.success() && text(&listing.stdout).lines().count() > 3);
    let graph = warpgrammar(&["inspect", "--dot", &schema("get_delivery_date")]);
    assert!(text(&graph.stdout).starts_with("digraph"));
}

#[test]
fn maskbench_prints_verdicts_and_times() {
    let folder = Folder::new("maskbench");
    let schema =
        json!({"type": "object", "properties": {"b": {"type": "integer"}, "a": {}}, "required": ["a"]});
    let test = |data: Value, valid: bool| json!({"data": data, "valid": valid});
    let tests = [test(json!({"a": 1, "b": 2}), true), test(json!({"a": 1, "b": "x"}), false)];
    folder.write("one.json", &json!({"schema": schema, "tests": tests}).to_string());
    folder.write("two.json", &json!({"schema": {"type": 7}, "tests": []}).to_string());
    let out = folder.path("result.out");
    let dir = folder.0.to_str().unwrap();
    let run = warpgrammar(&["maskbench", dir, "--reorder", "--jobs", "2", "--out", out.to_str().unwrap()]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let printed: Value = serde_json::from_slice(&run.stdout).unwrap();
    let keys: Vec<&str> = printed.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "engine vocab files compiled compile_errors schemas_passing valid_accepted valid_total \
                    invalid_rejected invalid_total compile_us table_bytes first_mask_us mask_us commit_us";
    assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
    let count = |key: &str| printed[key].as_u64().unwrap();
    assert_eq!((count("files"), count("compiled"), count("compile_errors")), (2, 1, 1));
    assert_eq!((count("valid_accepted"), count("invalid_rejected"), count("schemas_passing")), (1, 1, 1));
    assert!(printed["mask_us"]["p99.9"].is_number());
    let written: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(written["per_file"]["one.json"], "ok");
    assert!(written["per_file"]["two.json"].as_str().unwrap().starts_with("compile error: invalid schema"));
}

/// What doctor says and does where there is no GPU, and with an emulator that cannot be loaded.
#[test]
fn doctor_without_a_gpu() {
    let folder = Folder::new("doctor");
    let file = folder.path("doctor.json");
    let out = warpgrammar(&[
        "doctor",
        "--emulated",
        "--bench",
        "quick",
        "--json",
        &file.display().to_string(),
        "--seed",
        "3",
        "--skip-checks",
    ]);
    assert_eq!(out.status.code(), Some(3), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("--bench measures cards only"));
    let out = warpgrammar(&["doctor", "--emulated", "--reduced", "--json", &file.display().to_string()]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(3), "{said}{}", text(&out.stderr));
    assert!(said.starts_with("no GPU: "), "{said}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&report["gpu"], &report["bench"]), (&Value::Null, &Value::Null));
    if !said.contains("no emulator") {
        let checks = report["checks"].as_array().unwrap();
        assert!(checks.len() >= 6 && checks.iter().all(|c| c["failure"].is_null() && c["compared"] != 0));
    }
    let out = Command::new(env!("CARGO_BIN_EXE_warpgrammar"))
        .args(["doctor", "--emulated", "--reduced"])
        .env("WARPGRAMMAR_EMULATOR", folder.path("absent.so"))
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(3));
    assert!(text(&out.stdout).contains("no emulator: "));
}

/// Broken kernels are found: the emulator leaves a barrier out.
#[test]
fn doctor_finds_broken_kernels() {
    let kernel =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/emulator/selftest.cu"))
            .unwrap();
    let line = 1 + kernel.lines().position(|line| line.trim() == "WG_SYNC();").expect("a barrier");
    let out = Command::new(env!("CARGO_BIN_EXE_warpgrammar"))
        .args(["doctor", "--emulated", "--reduced"])
        .env("WARPGRAMMAR_SKIP_BARRIER", format!("selftest.cu:{line}"))
        .output()
        .unwrap();
    if text(&out.stdout).contains("no emulator") {
        return;
    }
    assert_eq!(out.status.code(), Some(4), "{}{}", text(&out.stdout), text(&out.stderr));
    assert!(text(&out.stdout).contains("FAILED: seed 0"));
}
