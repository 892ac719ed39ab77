//! An HTTP client that does no more than the tests need, and hides nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than any test waits for one read.
const PATIENCE: Duration = Duration::from_secs(60);

/// A reply, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The events of a stream.
    pub fn events(&self) -> Vec<Event> {
        let text = self.text();
        text.split_terminator("\n\n").map(Event::of).collect()
    }
}

/// A server-sent event.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: Option<String>,
    pub name: Option<String>,
    pub data: String,
}

impl Event {
    fn of(text: &str) -> Event {
        let mut event = Event { id: None, name: None, data: String::new() };
        for line in text.lines() {
            match line.split_once(": ").unwrap_or_else(|| panic!("no field: {line}")) {
                ("id", value) => event.id = Some(value.into()),
                ("event", value) => event.name = Some(value.into()),
                ("data", value) => event.data = value.into(),
                other => panic!("unknown field {other:?}"),
            }
        }
        event
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("{e}: {}", self.data))
    }
}

/// A server's address, and what is sent with every request.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub headers: Vec<(&'static str, String)>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Client { address, headers: Vec::new() }
    }

    pub fn with(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name, value.into()));
        client
    }

    /// Sends a request; its reply is not read.
    pub fn send(&self, method: &str, path: &str, body: &[u8]) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes())?;
        // A server may answer before it has read everything.
        let _ = stream.write_all(body);
        Ok(stream)
    }

    pub fn try_request(&self, method: &str, path: &str, body: &[u8]) -> std::io::Result<Reply> {
        read_reply(&mut BufReader::new(self.send(method, path, body)?))
    }

    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        self.try_request(method, path, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.request("GET", path, b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.request("POST", path, body.to_string().as_bytes())
    }

    /// Sends a request and reads on up to the first event.
    pub fn begin_stream(&self, path: &str, body: &Value) -> BufReader<TcpStream> {
        let stream = self.send("POST", path, body.to_string().as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while !line.starts_with("data:") {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the stream ended before its first event");
        }
        reader
    }

    /// A number among the metrics.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no metric {name}")).parse().unwrap()
    }

    /// Waits until a metric has a value.
    pub fn wait_for(&self, name: &str, value: f64) {
        let start = std::time::Instant::now();
        loop {
            let now = self.metric(name);
            if now == value {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{name} is {now}, not {value}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Uploads a file for a batch.
    pub fn upload(&self, name: &str, bytes: &[u8]) -> Reply {
        let form = [
            b"--edge\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n".as_slice(),
            b"--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"",
            name.as_bytes(),
            b"\"\r\ncontent-type: application/octet-stream\r\n\r\n",
            bytes,
            b"\r\n--edge--\r\n",
        ];
        self.with("content-type", "multipart/form-data; boundary=edge").request(
            "POST",
            "/v1/files",
            &form.concat(),
        )
    }
}

/// Reads a reply whose connection is closed at its end.
pub fn read_reply(reader: &mut impl BufRead) -> std::io::Result<Reply> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let broken = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the reply broke off");
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(broken)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(broken());
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let chunked = headers.iter().any(|(n, v)| n == "transfer-encoding" && v == "chunked");
    let mut body = Vec::new();
    if !chunked {
        reader.read_to_end(&mut body)?;
        let told = headers.iter().find(|(name, _)| name == "content-length");
        if told.is_some_and(|(_, n)| n.parse() != Ok(body.len())) {
            return Err(broken());
        }
        return Ok(Reply { status, headers, body });
    }
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim_end(), 16).map_err(|_| broken())?;
        let start = body.len();
        body.resize(start + size + 2, 0);
        reader.read_exact(&mut body[start..])?;
        body.truncate(start + size);
        if size == 0 {
            return Ok(Reply { status, headers, body });
        }
    }
}
