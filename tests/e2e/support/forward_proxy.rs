//! A proxy as companies have them before the internet.
//!
//! Owns its log: which hosts it was asked for.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::http::Message;

/// A forward proxy: tunnels CONNECT to the address it was made for, whatever name was asked, and
/// writes down the names.
pub struct ForwardProxy {
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ForwardProxy {
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().filter_map(Result::ok) {
                let log = Arc::clone(&log);
                thread::spawn(move || drop(tunnel(client, target, &log)));
            }
        });
        Self { port, asked }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn tunnel(mut client: TcpStream, target: u16, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let head = Message::read_head(&mut BufReader::with_capacity(1, client.try_clone()?))?
        .unwrap_or_default();
    log.lock().unwrap().push(head.start.clone());
    let server = TcpStream::connect(("127.0.0.1", target))?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut from, mut into) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || drop(std::io::copy(&mut from, &mut into)));
    std::io::copy(&mut &server, &mut client).map(drop)
}
