//! The least that a look can cost: a disk, memory, load, the processors' counters, the number of
//! processes, a connection and an HTTP answer, read raw and written as one line.
//!
//! `floor HOST:PORT` is what `scripts/bench health` holds claw-health against.

use std::io::{Read, Write};
use std::net::TcpStream;

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let disk = nix::sys::statvfs::statvfs("/")?;
    let mut seen = disk.blocks_available() as usize;
    for file in ["/proc/meminfo", "/proc/loadavg", "/proc/stat"] {
        seen += std::fs::read(file)?.len();
    }
    let is_process =
        |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    seen += std::fs::read_dir("/proc")?
        .flatten()
        .filter(|entry| is_process(&entry.file_name()))
        .count();
    drop(TcpStream::connect(&address)?);
    let mut stream = TcpStream::connect(&address)?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    writeln!(std::io::stdout(), "{}", seen + answer.len())
}
