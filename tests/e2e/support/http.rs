//! Just enough HTTP/1.1 to talk to a local AWS and to stand before it.
//!
//! Owns reading and writing one message. Knows nothing of AWS: no signature is made, since moto
//! checks none.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A request or a response; `start` is its first line.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn new(start: impl Into<String>) -> Self {
        Self {
            start: start.into(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn remove(&mut self, name: &str) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    /// The status of a response, zero of anything else.
    pub fn status(&self) -> u16 {
        self.start
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0)
    }

    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads the first line and the headers. `None`: the peer closed the connection between two
    /// messages.
    pub fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut message = Self::default();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return if message.start.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
            let line = line.trim_end();
            if message.start.is_empty() {
                line.clone_into(&mut message.start);
            } else if line.is_empty() {
                return Ok(Some(message));
            } else if let Some((name, value)) = line.split_once(':') {
                message
                    .headers
                    .push((name.to_owned(), value.trim().to_owned()));
            }
        }
    }

    /// Reads the body that the headers announce; what came in chunks is a plain body afterwards.
    pub fn read_body(&mut self, reader: &mut impl BufRead, until_close: bool) -> io::Result<()> {
        if self
            .get("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size)?;
                let size =
                    usize::from_str_radix(size.trim().split(';').next().unwrap_or_default(), 16)
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                let mut chunk = vec![0; size + 2];
                reader.read_exact(&mut chunk)?;
                self.body.extend(&chunk[..size]);
                if size == 0 {
                    break;
                }
            }
            self.remove("transfer-encoding");
        } else if let Some(length) = self
            .get("content-length")
            .and_then(|length| length.parse().ok())
        {
            self.body = vec![0; length];
            reader.read_exact(&mut self.body)?;
        } else if until_close {
            reader.read_to_end(&mut self.body)?;
        }
        Ok(())
    }

    /// A `HEAD` answer keeps the length of the body that it does not have.
    pub fn write(&self, writer: &mut impl Write, head_only: bool) -> io::Result<()> {
        let mut head = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            if head_only || !name.eq_ignore_ascii_case("content-length") {
                let _ = write!(head, "{name}: {value}\r\n");
            }
        }
        if !head_only {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        head.push_str("\r\n");
        writer.write_all(&[head.as_bytes(), &self.body].concat())?;
        writer.flush()
    }

    /// Sends this request on a connection of its own and reads the answer.
    pub fn send(&self, to: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let mut request = self.clone();
        request.remove("connection");
        let request = request.header("Connection", "close");
        let request = if request.get("host").is_none() {
            request.header("Host", to.to_string())
        } else {
            request
        };
        request.write(&mut stream, false)?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut response = Self::read_head(&mut reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if response.status() == 100 {
                continue;
            }
            if self.method() != "HEAD" {
                response.read_body(&mut reader, true)?;
            }
            return Ok(response);
        }
    }
}
