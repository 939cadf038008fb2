//! A proxy before the local AWS that answers some requests itself, late, or never.
//!
//! Owns the faults and a log of all requests with their order. What no rule names passes through
//! byte for byte.

use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::aws::Aws;
use super::http::Message;

#[derive(Clone)]
pub enum Fault {
    /// This answer, instead of AWS's.
    Answer(Message),
    /// The connection is reset without an answer.
    Reset,
    /// The request is taken and never answered.
    Silence,
    /// The request waits until the test calls `release`, then goes through.
    Hold,
}

impl Fault {
    /// What a JSON service says.
    pub fn json(status: u16, kind: &str, message: &str) -> Self {
        let body = json!({"__type": kind, "message": message, "Message": message}).to_string();
        let answer = Message::new(format!("HTTP/1.1 {status} Fault"))
            .header("Content-Type", "application/x-amz-json-1.1");
        Self::Answer(answer.header("x-amzn-requestid", "e2e").body(body))
    }

    pub fn throttled() -> Self {
        Self::json(400, "ThrottlingException", "Rate exceeded")
    }

    /// As AWS words it, with the action and the resource.
    pub fn denied(action: &str, resource: &str) -> Self {
        let who = "User: arn:aws:sts::123456789012:assumed-role/dbt-task/0123456789";
        let why = "because no identity-based policy allows the";
        let text = format!(
            "{who} is not authorized to perform: {action} on resource: {resource} {why} {action} \
                action"
        );
        Self::json(400, "AccessDeniedException", &text)
    }

    /// What STS says.
    pub fn sts(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>e2e</RequestId></ErrorResponse>"
        );
        let answer =
            Message::new(format!("HTTP/1.1 {status} Fault")).header("Content-Type", "text/xml");
        Self::Answer(answer.header("x-amzn-requestid", "e2e").body(body))
    }

    /// What S3 says.
    pub fn s3(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>E2E</RequestId></Error>"
        );
        let answer = Message::new(format!("HTTP/1.1 {status} Fault"))
            .header("Content-Type", "application/xml");
        Self::Answer(answer.header("x-amz-request-id", "E2E").body(body))
    }
}

struct Rule {
    pattern: String,
    /// So many pass before the first fault.
    passing: usize,
    left: usize,
    fault: Fault,
}

/// One request as the proxy saw it.
#[derive(Clone)]
pub struct Seen {
    /// Method, path and, of a JSON service, the operation.
    pub line: String,
    pub request: Message,
    /// Zero where nothing was answered.
    pub status: u16,
    pub began: Instant,
    pub ended: Option<Instant>,
}

#[derive(Default)]
struct State {
    rules: Mutex<Vec<Rule>>,
    log: Mutex<Vec<Seen>>,
    conditional: Mutex<()>,
    released: AtomicBool,
    stopped: AtomicBool,
}

pub struct FaultProxy {
    address: SocketAddr,
    state: Arc<State>,
}

impl FaultProxy {
    pub fn before(aws: Aws) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&shared);
                // A client that goes away is what many of these tests are about.
                thread::spawn(move || drop(state.serve(&stream, aws.address)));
            }
        });
        Self { address, state }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request whose line holds the pattern.
    #[must_use]
    pub fn on(self, pattern: &str, fault: Fault) -> Self {
        self.first(usize::MAX, pattern, fault)
    }

    /// Only the first so many of them.
    #[must_use]
    pub fn first(self, count: usize, pattern: &str, fault: Fault) -> Self {
        self.rule(pattern, 0, count, fault)
    }

    /// All of them but the first so many.
    #[must_use]
    pub fn after(self, count: usize, pattern: &str, fault: Fault) -> Self {
        self.rule(pattern, count, usize::MAX, fault)
    }

    fn rule(self, pattern: &str, passing: usize, left: usize, fault: Fault) -> Self {
        self.state.rules.lock().unwrap().push(Rule {
            pattern: pattern.to_owned(),
            passing,
            left,
            fault,
        });
        self
    }

    pub fn release(&self) {
        self.state.released.store(true, Ordering::SeqCst);
    }

    pub fn log(&self) -> Vec<Seen> {
        self.state.log.lock().unwrap().clone()
    }

    pub fn count(&self, pattern: &str) -> usize {
        self.log()
            .iter()
            .filter(|seen| seen.line.contains(pattern))
            .count()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the loop that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl State {
    fn serve(&self, stream: &TcpStream, upstream: SocketAddr) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            // Looked at, not taken: closing a socket with unread bytes is what makes the kernel
            // send a reset.
            let Some(line) = peek_line(stream)? else {
                return Ok(());
            };
            let fault = self.fault_for(&line);
            let index = self.note(&line);
            if matches!(fault, Some(Fault::Reset)) {
                return Ok(());
            }
            let Some(mut request) = Message::read_head(&mut reader)? else {
                return Ok(());
            };
            if request.get("expect").is_some() {
                request.remove("expect");
                std::io::Write::write_all(&mut &*stream, b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            request.read_body(&mut reader, false)?;
            self.log.lock().unwrap()[index].request = request.clone();
            let mut response = match fault {
                Some(Fault::Silence) => return self.wait(false),
                Some(Fault::Answer(answer)) => answer,
                Some(Fault::Hold) => {
                    self.wait(true)?;
                    request.send(upstream)?
                }
                Some(Fault::Reset) | None => self.pass_on(&request, upstream)?,
            };
            let mut log = self.log.lock().unwrap();
            log[index].status = response.status();
            log[index].ended = Some(Instant::now());
            drop(log);
            response.remove("connection");
            response.remove("transfer-encoding");
            response.write(&mut &*stream, request.method() == "HEAD")?;
        }
    }

    /// S3 looks and writes in one act; the local AWS does so only if nothing comes in between.
    fn pass_on(&self, request: &Message, upstream: SocketAddr) -> std::io::Result<Message> {
        let is_conditional = ["if-match", "if-none-match"]
            .iter()
            .any(|name| request.get(name).is_some());
        let _one_at_a_time = is_conditional.then(|| self.conditional.lock().unwrap());
        request.clone().send(upstream)
    }

    fn fault_for(&self, line: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules
            .iter_mut()
            .find(|rule| rule.left > 0 && line.contains(&rule.pattern))?;
        if rule.passing > 0 {
            rule.passing -= 1;
            return None;
        }
        rule.left -= 1;
        Some(rule.fault.clone())
    }

    fn note(&self, line: &str) -> usize {
        let mut log = self.log.lock().unwrap();
        let request = Message::default();
        log.push(Seen {
            line: line.to_owned(),
            request,
            status: 0,
            began: Instant::now(),
            ended: None,
        });
        log.len() - 1
    }

    fn wait(&self, until_release: bool) -> std::io::Result<()> {
        while !self.stopped.load(Ordering::SeqCst) {
            if until_release && self.released.load(Ordering::SeqCst) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(std::io::ErrorKind::ConnectionAborted.into())
    }
}

/// The head of the next request as one line; `None` at the end of the connection.
fn peek_line(stream: &TcpStream) -> std::io::Result<Option<String>> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = stream.peek(&mut buffer)?;
        if count == 0 {
            return Ok(None);
        }
        if let Some(mut head) = Message::read_head(&mut &buffer[..count]).ok().flatten() {
            let target = head.get("x-amz-target").unwrap_or_default().to_owned();
            head.start.truncate(head.start.rfind(' ').unwrap_or(0));
            return Ok(Some(format!("{} {target}", head.start)));
        }
        thread::sleep(Duration::from_millis(1));
    }
}
