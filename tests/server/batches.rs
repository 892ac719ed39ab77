//! Files and batches, with interruptions.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, read_reply};
use crate::support::{Folder, Process, Running, chat, event, format, long};

/// A line in one of the dialects.
fn line(k: usize) -> Value {
    let messages = json!([{"role": "user", "content": format!("Name: number {k}. Date: Friday.")}]);
    let strict =
        json!({"type": "json_schema", "json_schema": {"name": "e", "schema": event(), "strict": true}});
    let (url, body) = match k % 4 {
        0 => ("/v1/chat/completions", json!({"model": "m", "messages": messages, "response_format": strict})),
        1 => (
            "/v1/responses",
            json!({"model": "m", "input": messages[0]["content"],
                   "text": {"format": {"type": "json_schema", "name": "e", "schema": event()}}}),
        ),
        2 => (
            "/openai/deployments/d/chat/completions?api-version=2024-10-21",
            json!({"messages": messages, "response_format": strict}),
        ),
        _ => (
            "/v3/chat-completions/HCX-007",
            json!({"messages": messages, "maxTokens": 500, "responseFormat": {"type": "json", "schema": {
                "type": "object", "properties": event()["properties"], "required": ["name", "date"]}}}),
        ),
    };
    json!({"custom_id": format!("line-{k}"), "method": "POST", "url": url, "body": body})
}

/// The text that a reply in any dialect holds.
fn content(body: &Value) -> &str {
    let places = ["/choices/0/message/content", "/output/0/content/0/text", "/result/message/content"];
    places.iter().find_map(|at| body.pointer(at)?.as_str()).unwrap_or_else(|| panic!("no content: {body}"))
}

fn start(client: &Client, input: &str) -> String {
    let file = client.upload("in.jsonl", input.as_bytes()).json()["id"].clone();
    let batch = json!({"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h",
                       "metadata": {"who": "test"}});
    let made = client.post("/v1/batches", &batch);
    assert_eq!((made.status, &made.json()["status"]), (200, &json!("validating")), "{}", made.text());
    made.json()["id"].as_str().unwrap().to_owned()
}

/// Waits until a batch is as `wanted` says.
fn wait(client: &Client, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let batch = client.get(&format!("/v1/batches/{id}")).json();
        if wanted(&batch) {
            return batch;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{batch}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn results(client: &Client, batch: &Value, which: &str) -> Vec<Value> {
    match batch[which].as_str() {
        None => Vec::new(),
        Some(id) => {
            let text = client.get(&format!("/v1/files/{id}/content")).text();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }
}

#[test]
fn every_line_is_answered_once_however_often_the_server_is_killed() {
    const LINES: usize = 240;
    let folder = Folder::new("killed");
    let data = folder.0.display().to_string();
    let args = ["--data", &data, "--slots", "4", "--batch-slots", "4", "--threads", "1"];
    let mut server = Process::start(&args);
    let mut lines: Vec<String> = (0..LINES).map(|k| line(k).to_string()).collect();
    // Some that cannot be answered.
    lines.insert(10, "no json".into());
    lines.insert(20, line(3).to_string());
    lines.insert(
        30,
        json!({"custom_id": "lost", "method": "POST", "url": "/v1/nowhere", "body": {}}).to_string(),
    );
    lines.insert(40, String::new());
    let id = start(&server.client, &lines.join("\n"));
    let answered = |batch: &Value| batch["request_counts"]["completed"].as_u64().unwrap();
    for least in [20, 90, 160] {
        let batch = wait(&server.client, &id, |batch| answered(batch) >= least);
        assert_eq!(batch["status"], "in_progress", "it was killed too late to tell anything");
        server.kill();
        server = Process::start(&args);
    }
    let batch = wait(&server.client, &id, |batch| batch["status"] == "completed");
    assert_eq!(batch["request_counts"], json!({"total": LINES + 3, "completed": LINES, "failed": 3}));
    assert_eq!(batch["metadata"], json!({"who": "test"}));

    let output = results(&server.client, &batch, "output_file_id");
    let mut by_id: BTreeMap<&str, &Value> = BTreeMap::new();
    for reply in &output {
        let double = by_id.insert(reply["custom_id"].as_str().unwrap(), reply);
        assert!(double.is_none(), "answered twice: {reply}");
        assert_eq!(reply["response"]["status_code"], 200);
        let text = content(&reply["response"]["body"]);
        let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert!(
            jsonschema::is_valid(&event(), &value) || reply.pointer("/response/body/result").is_some(),
            "{value}"
        );
    }
    assert_eq!(by_id.len(), LINES);
    let errors = results(&server.client, &batch, "error_file_id");
    let mut at: Vec<u64> = errors.iter().map(|error| error["line"].as_u64().unwrap()).collect();
    at.sort_unstable();
    assert_eq!(at, [11, 21, 31]);
    // The duplicate is CLOVA's, and so is its error.
    let duplicate = errors.iter().find(|error| error["line"] == 21).unwrap();
    assert_eq!(duplicate["response"]["body"]["status"]["code"], "40001");

    // It is still there after an end in good order, and nothing more is done.
    assert_eq!(server.terminate(), Some(0));
    server = Process::start(&args);
    assert_eq!(server.client.get(&format!("/v1/batches/{id}")).json(), batch);
    assert_eq!(results(&server.client, &batch, "output_file_id"), output);
}

#[test]
fn a_batch_is_gone_on_with_as_it_would_have_been() {
    let folder = Folder::new("same");
    let set_up = |folder: &Folder| {
        let data = folder.0.clone();
        move |config: &mut warpgrammar::server::Config| {
            config.data = Some(data);
            config.limits.batch_slots = 2;
        }
    };
    let lines: Vec<String> = (0..40).map(|k| line(k).to_string()).collect();
    let mut server = Running::start(Duration::from_millis(2), set_up(&folder));
    let id = start(&server.client, &lines.join("\n"));
    wait(&server.client, &id, |batch| batch["request_counts"]["completed"].as_u64() >= Some(5));
    server.stop();
    server.join();
    // The same batch without anything answered, to be run without an interruption.
    let afresh = Folder::new("afresh");
    for part in ["files", "batches"] {
        std::fs::create_dir_all(afresh.0.join(part)).unwrap();
        for entry in std::fs::read_dir(folder.0.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "jsonl") {
                std::fs::copy(&path, afresh.0.join(part).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    let server = Running::start(Duration::ZERO, set_up(&folder));
    let batch = wait(&server.client, &id, |batch| batch["status"] == "completed");
    let texts = |client: &Client, batch: &Value| -> BTreeMap<String, String> {
        let lines = results(client, batch, "output_file_id");
        lines
            .iter()
            .map(|l| {
                (l["custom_id"].as_str().unwrap().to_owned(), content(&l["response"]["body"]).to_owned())
            })
            .collect()
    };
    let interrupted = texts(&server.client, &batch);
    assert_eq!(interrupted.len(), 40);
    let other = Running::start(Duration::ZERO, set_up(&afresh));
    let whole = wait(&other.client, &id, |batch| batch["status"] == "completed");
    assert_eq!(texts(&other.client, &whole), interrupted);
    assert_eq!(batch["request_counts"], json!({"total": 40, "completed": 40, "failed": 0}));
    assert_eq!(batch["error_file_id"], Value::Null);
}

#[test]
fn files_are_kept_listed_and_removed() {
    let folder = Folder::new("files");
    let data = folder.0.clone();
    let server = Running::start(Duration::ZERO, move |config| config.data = Some(data));
    let client = &server.client;
    assert_eq!(client.get("/v1/files").json()["data"], json!([]));
    let made = client.upload("a \u{e9}.jsonl", b"{}\n\r\n -edge is no edge").json();
    assert_eq!(
        (&made["object"], &made["bytes"], &made["purpose"]),
        (&json!("file"), &json!(22), &json!("batch"))
    );
    assert_eq!(made["filename"], "a \u{e9}.jsonl");
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/files/{id}");
    assert_eq!(client.get(&path).json(), made);
    assert_eq!(client.get(&format!("{path}/content")).body, b"{}\n\r\n -edge is no edge");
    let second = client.upload("b", b"x").json();
    let all = client.get("/v1/files?purpose=batch&limit=1").json();
    assert_eq!((all["data"].as_array().unwrap().len(), &all["has_more"]), (1, &json!(true)));
    assert_eq!(client.get("/v1/files?purpose=other").json()["data"], json!([]));
    assert_eq!(
        client.request("DELETE", &path, b"").json(),
        json!({"id": id, "object": "file", "deleted": true})
    );
    for gone in
        [client.get(&path), client.get(&format!("{path}/content")), client.request("DELETE", &path, b"")]
    {
        assert_eq!((gone.status, &gone.json()["error"]["param"]), (404, &json!("id")));
    }
    assert_eq!(client.get("/v1/files").json()["data"], json!([second]));
    for outside in ["/v1/files/..%2f..%2fetc%2fpasswd", "/v1/files/../lock", "/v1/files/..%2flock/content"] {
        assert_eq!(client.get(outside).status, 404, "{outside}");
    }
    let multipart = client.with("content-type", "multipart/form-data; boundary=edge");
    let field = |name: &str, value: &str| {
        format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n";
    for (form, param) in [
        (field("purpose", "batch"), json!("file")),
        (file.to_owned(), json!("purpose")),
        (field("purpose", "fine-tune") + file, json!("purpose")),
        (field("colour", "red"), json!("colour")),
        (file.to_owned() + file, json!("file")),
        (field("purpose", "batch") + &field("purpose", "batch"), json!("purpose")),
        ("--edge\r\nno head".into(), Value::Null),
    ] {
        let reply = multipart.request("POST", "/v1/files", format!("{form}--edge--\r\n").as_bytes());
        assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &param), "{form}");
    }
    assert_eq!(client.request("POST", "/v1/files", b"{}").status, 400);
    let left = std::fs::read_dir(folder.0.join("files")).unwrap().count();
    assert_eq!(left, 2, "one file and its record");
}

#[test]
fn uploads_are_not_held_in_memory() {
    let folder = Folder::new("uploads");
    let data = folder.0.clone();
    let server = Running::start(Duration::ZERO, move |config| {
        config.data = Some(data);
        config.limits.file_bytes = 8 << 20;
    });
    let client = server.client.with("content-type", "multipart/form-data; boundary=edge");
    // No part begins, and the head of one does not end.
    let mut answered = 0;
    let head = "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"";
    for (begin, fill) in [("", "x"), (head, "y"), ("--edge\r\nx-", "z")] {
        let form = begin.to_owned() + &fill.repeat(3 << 20);
        // The server may answer and go before it has read all.
        let Ok(reply) = client.try_request("POST", "/v1/files", form.as_bytes()) else { continue };
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert!(reply.text().contains("no part begins or ends"), "{}", reply.text());
        answered += 1;
    }
    assert!(answered > 0, "nobody said why");
    // Parts that are long together, their length not told: the limit is one of the whole.
    let mut stream = std::net::TcpStream::connect(server.client.address).unwrap();
    let head = "POST /v1/files HTTP/1.1\r\nhost: t\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
                content-type: multipart/form-data; boundary=edge\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let file = "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
    let mut sent = stream.write_all(format!("{:x}\r\n{file}\r\n", file.len()).as_bytes());
    for _ in 0..200 {
        sent =
            sent.and_then(|()| stream.write_all(format!("10000\r\n{}\r\n", "x".repeat(1 << 16)).as_bytes()));
    }
    if let Ok(reply) = read_reply(&mut BufReader::new(stream)) {
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (413, &json!("request_too_large")));
    }
    // A file within the limit, of pieces far larger than what may be held, is taken.
    let whole = server.client.upload("big", &vec![b'a'; 7 << 20]);
    assert_eq!((whole.status, &whole.json()["bytes"]), (200, &json!(7 << 20)), "{}", whole.text());
    assert_eq!(std::fs::read_dir(folder.0.join("files")).unwrap().count(), 2, "one file and its record");
}

#[test]
fn a_long_line_is_refused_by_itself() {
    let folder = Folder::new("long-line");
    let data = folder.0.clone();
    let server = Running::start(Duration::ZERO, move |config| {
        config.data = Some(data);
        config.limits.body_bytes = 2_000;
    });
    let client = &server.client;
    let input = format!("{}\n{}\n{}", line(0), "x".repeat(300_000), line(2));
    let batch = wait(client, &start(client, &input), |batch| batch["status"] == "completed");
    assert_eq!(batch["request_counts"], json!({"total": 3, "completed": 2, "failed": 1}));
    let refused = results(client, &batch, "error_file_id");
    assert_eq!(refused[0]["line"], 2, "{refused:?}");
    assert_eq!(refused[0]["response"]["status_code"], 413, "{refused:?}");
}

#[test]
fn what_an_upload_left_is_removed_at_the_next_start() {
    let folder = Folder::new("orphans");
    let begin =
        |data: std::path::PathBuf| Running::start(Duration::ZERO, move |config| config.data = Some(data));
    let kept = begin(folder.0.clone()).client.upload("kept", b"{}").json();
    let files = folder.0.join("files");
    std::fs::write(files.join("file-orphan"), "moved, and killed before its record was written").unwrap();
    std::fs::write(files.join("file-torn.partial"), "killed while it came").unwrap();
    std::fs::write(files.join("notes.txt"), "not ours").unwrap();
    let server = begin(folder.0.clone());
    assert_eq!(server.client.get("/v1/files").json()["data"], json!([kept]));
    let mut left: Vec<String> = std::fs::read_dir(&files)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let id = kept["id"].as_str().unwrap();
    assert_eq!(left, [id.to_owned(), format!("{id}.json"), "notes.txt".into()]);
}

/// What cannot be read now may be read later: the batch waits.
#[test]
fn a_passing_error_ends_no_batch() {
    let folder = Folder::new("passing");
    let data = folder.0.clone();
    let server = Running::start(Duration::ZERO, move |config| config.data = Some(data));
    let client = &server.client;
    let file = client.upload("in.jsonl", line(0).to_string().as_bytes()).json()["id"].clone();
    let path = folder.0.join("files").join(file.as_str().unwrap());
    let bytes = std::fs::read(&path).unwrap();
    // A folder in its place can be opened, and not read.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let batch =
        json!({"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    let id = client.post("/v1/batches", &batch).json()["id"].as_str().unwrap().to_owned();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(client.get(&format!("/v1/batches/{id}")).json()["status"], "validating");
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let batch = wait(client, &id, |batch| batch["completed_at"].is_u64());
    assert_eq!(batch["request_counts"]["completed"], 1, "{batch}");
    // One that is not there will not come.
    let file = client.upload("in.jsonl", line(0).to_string().as_bytes()).json()["id"].clone();
    std::fs::remove_file(folder.0.join("files").join(file.as_str().unwrap())).unwrap();
    let batch =
        json!({"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    let id = client.post("/v1/batches", &batch).json()["id"].as_str().unwrap().to_owned();
    let batch = wait(client, &id, |batch| batch["status"] == "failed");
    assert_eq!(batch["errors"]["data"][0]["code"], "invalid_input_file");
}

#[test]
fn batches_are_listed_cancelled_and_refused() {
    let folder = Folder::new("cancel");
    let data = folder.0.clone();
    let server = Running::start(Duration::from_millis(5), move |config| {
        config.data = Some(data);
        config.limits.batch_slots = 1;
        config.limits.batch_lines = 50;
    });
    let client = &server.client;
    let slow = |k: usize| {
        let body = chat(json!({"response_format": format(&long(60))}));
        json!({"custom_id": k.to_string(), "method": "POST", "url": "/v1/chat/completions", "body": body})
            .to_string()
    };
    let slow: Vec<String> = (0..40).map(slow).collect();
    let first = start(client, &slow.join("\n"));
    let second = start(client, &slow.join("\n"));
    wait(client, &first, |batch| batch["request_counts"]["completed"].as_u64() >= Some(2));
    let input =
        client.get(&format!("/v1/batches/{first}")).json()["input_file_id"].as_str().unwrap().to_owned();
    assert_eq!(client.request("DELETE", &format!("/v1/files/{input}"), b"").status, 409);
    // One that waits is cancelled at once, one that is worked on soon; what was answered is kept.
    let cancel = |id: &str| client.request("POST", &format!("/v1/batches/{id}/cancel"), b"");
    assert_eq!(cancel(&second).json()["status"], "cancelled");
    assert_eq!(cancel(&first).json()["status"], "cancelling");
    let batch = wait(client, &first, |batch| batch["status"] == "cancelled");
    let answered = batch["request_counts"]["completed"].as_u64().unwrap();
    assert!((2..40).contains(&answered), "{batch}");
    assert_eq!(results(client, &batch, "output_file_id").len() as u64, answered);
    client.wait_for("warpgrammar_slots_active", 0.0);
    assert_eq!(client.request("DELETE", &format!("/v1/files/{input}"), b"").status, 200);

    let done = start(client, &slow[0]);
    wait(client, &done, |batch| batch["status"] == "completed");
    assert_eq!(cancel(&done).status, 409);
    for (input, code) in [(" \n\n", "empty_file"), (&*"{}\n".repeat(51), "too_many_lines")] {
        let batch = wait(client, &start(client, input), |batch| batch["status"] == "failed");
        assert_eq!(batch["errors"]["data"][0]["code"], code);
    }
    let list = client.get("/v1/batches?limit=2").json();
    assert_eq!((list["data"].as_array().unwrap().len(), &list["has_more"]), (2, &json!(true)));
    let file = client.upload("in", b"{}").json()["id"].clone();
    let good = json!({"input_file_id": file, "endpoint": "/v1/responses", "completion_window": "24h"});
    for (key, value) in [
        ("input_file_id", json!("file-none")),
        ("input_file_id", Value::Null),
        ("endpoint", json!("/v1/embeddings")),
        ("completion_window", json!("1h")),
        ("metadata", json!({"a": 1})),
        ("colour", json!("red")),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        let reply = client.post("/v1/batches", &bad);
        assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!(key)), "{bad}");
    }
    assert_eq!(cancel("batch_none").status, 404);
    assert_eq!(client.get("/v1/batches/batch_none").status, 404);
}
