//! Clients that go away, and a server that does.

use std::io::{BufReader, Read};
use std::time::Duration;

use serde_json::json;

use crate::client::read_reply;
use crate::support::{Folder, Process, Running, chat, event, format, long};

#[test]
fn a_client_that_goes_away_frees_its_slot() {
    let server = Running::start(Duration::from_millis(5), |config| config.limits.slots = 4);
    let client = &server.client;
    let whole = chat(json!({"response_format": format(&long(900)), "n": 2}));
    let stream = chat(json!({"response_format": format(&long(900)), "stream": true}));
    for path in ["/v1/chat/completions", "/chat/completions"] {
        let streaming = client.begin_stream(path, &stream);
        client.wait_for("warpgrammar_slots_active", 1.0);
        drop(streaming);
        client.wait_for("warpgrammar_slots_active", 0.0);

        let waiting = client.send("POST", path, whole.to_string().as_bytes()).unwrap();
        client.wait_for("warpgrammar_slots_active", 2.0);
        drop(waiting);
        client.wait_for("warpgrammar_slots_active", 0.0);
    }
    // Also one that has no slot yet.
    let streams: Vec<_> = (0..4).map(|_| client.begin_stream("/v1/chat/completions", &stream)).collect();
    let queued = client.send("POST", "/v1/chat/completions", stream.to_string().as_bytes()).unwrap();
    client.wait_for("warpgrammar_queue_length", 1.0);
    drop(queued);
    client.wait_for("warpgrammar_queue_length", 0.0);
    client.wait_for("warpgrammar_slots_active", 4.0);
    drop(streams);
    client.wait_for("warpgrammar_slots_active", 0.0);
    client.wait_for("warpgrammar_requests_in_flight", 0.0);
    assert_eq!(client.metric("warpgrammar_dropped_total"), 9.0);
}

#[test]
fn what_is_being_answered_may_end() {
    let mut server =
        Running::start(Duration::from_millis(5), |config| config.grace = Duration::from_secs(30));
    let client = server.client.clone();
    let stream = chat(json!({"response_format": format(&long(100)), "stream": true}));
    let mut streaming = client.begin_stream("/v1/chat/completions", &stream);
    let whole = chat(json!({"response_format": format(&long(100))}));
    let waiting = client.send("POST", "/v1/chat/completions", whole.to_string().as_bytes()).unwrap();
    client.wait_for("warpgrammar_slots_active", 2.0);
    server.stop();
    let mut rest = String::new();
    streaming.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("data: [DONE]"), "{rest}");
    assert_eq!(read_reply(&mut BufReader::new(waiting)).unwrap().status, 200);
    server.join();
    assert!(std::net::TcpStream::connect(client.address).is_err(), "it still listens");
}

#[test]
fn what_does_not_end_in_time_is_told() {
    let mut server =
        Running::start(Duration::from_millis(10), |config| config.grace = Duration::from_millis(100));
    let client = server.client.clone();
    let body = json!({"response_format": format(&long(900)), "stream": true});
    let mut chat_stream = client.begin_stream("/v1/chat/completions", &chat(body));
    let text = json!({"format": {"type": "json_schema", "name": "n", "schema": long(900)}});
    let responses = json!({"model": "m", "input": "x", "text": text, "stream": true});
    let mut responses_stream = client.begin_stream("/v1/responses", &responses);
    let whole = chat(json!({"response_format": format(&long(900))}));
    let waiting = client.send("POST", "/v1/chat/completions", whole.to_string().as_bytes()).unwrap();
    client.wait_for("warpgrammar_slots_active", 3.0);
    server.stop();
    let mut rest = String::new();
    chat_stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\"code\":\"server_shutdown\"") && !rest.contains("[DONE]"), "{rest}");
    let mut rest = String::new();
    responses_stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("event: response.failed\n") && !rest.contains("response.completed"), "{rest}");
    let reply = read_reply(&mut BufReader::new(waiting)).unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert_eq!(reply.json()["error"]["code"], "server_shutdown");
    server.join();
}

#[test]
fn the_binary_ends_when_it_is_asked_to() {
    let mut server = Process::start(&["--api-key", "k", "--grace", "5"]);
    let client = server.client.with("authorization", "Bearer k");
    let body = chat(json!({"response_format": format(&event())}));
    assert_eq!(client.post("/v1/chat/completions", &body).status, 200);
    assert_eq!(server.client.get("/v1/models").status, 401);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn the_binary_says_why_it_does_not_begin() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new("begin");
    std::fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("a file");
    std::fs::write(&file, " \n").unwrap();
    let file = file.display().to_string();
    for (args, words) in [
        (["--listen", &address, "--grace", "1"], &*address),
        (["--listen", "127.0.0.1:0", "--api-key-file", &file], "there are none"),
        (["--listen", "127.0.0.1:0", "--api-key", ""], "there are none"),
        (["--listen", "127.0.0.1:0", "--data", &file], "a file"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_warpgrammar"));
        let said = command.arg("serve").args(args).output().unwrap();
        let errors = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(1), "{errors}");
        assert!(errors.contains(words), "{errors}");
        assert!(said.stdout.is_empty());
    }
}
