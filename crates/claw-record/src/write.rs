//! Writing records: as lines into a pipe, for people at a terminal.

use std::io::{self, IsTerminal, Write};

use crate::exit::Complaint;
use crate::human::{Style, shown};
use crate::record::Record;

/// How a tool writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// One record a line.
    Json,
}

/// Where a tool writes to. Once the reader has gone, writing does nothing: that is not an error.
pub struct Output {
    to: Box<dyn Write>,
    name: String,
    format: Format,
    style: Style,
    closed: bool,
}

impl Output {
    /// Standard output: for people at a terminal, as records elsewhere, unless `format` decides.
    /// Colours at a terminal, unless `NO_COLOR` is set or the terminal is dumb.
    pub fn stdout(format: Option<Format>) -> Self {
        let terminal = io::stdout().is_terminal();
        let format = format.unwrap_or(if terminal { Format::Human } else { Format::Json });
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let colour = terminal && !dumb && !set("NO_COLOR");
        let size = if terminal { terminal_size::terminal_size() } else { None };
        let width = size.map(|(width, _)| usize::from(width.0));
        let style = Style { colour, width, ..Style::default() };
        Self::to(Box::new(io::stdout().lock()), "standard output", format, style)
    }

    /// Anything that can be written to, and what to call it in a complaint: `standard output`, or a
    /// file's name in quotes.
    pub fn to(to: Box<dyn Write>, name: &str, format: Format, style: Style) -> Self {
        Self { to, name: name.to_owned(), format, style, closed: false }
    }

    /// The format that it writes.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How records look to people from now on.
    pub fn restyle(&mut self, change: impl FnOnce(Style) -> Style) {
        self.style = change(self.style);
    }

    /// Has the reader gone?
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes a record of the tool's own.
    pub fn record(&mut self, record: &Record) -> Result<(), Complaint> {
        match self.format {
            Format::Json => self.piece(&record.to_line()),
            Format::Human => self.piece(self.style.lines(record).as_bytes()),
        }
    }

    /// Passes on a line that was read: unchanged into a pipe, readable at a terminal.
    pub fn pass(&mut self, line: &[u8], record: Option<&Record>) -> Result<(), Complaint> {
        match (self.format, record) {
            (Format::Json, _) => {
                self.buffered(line)?;
                self.piece(b"\n")
            }
            (Format::Human, Some(record)) => self.piece(self.style.lines(record).as_bytes()),
            (Format::Human, None) => self.text(&String::from_utf8_lossy(line)),
        }
    }

    /// Writes a line of text for people, control characters shown.
    pub fn text(&mut self, line: &str) -> Result<(), Complaint> {
        self.piece(format!("{}\n", shown(line)).as_bytes())
    }

    /// Writes bytes as they are, at once.
    pub fn piece(&mut self, bytes: &[u8]) -> Result<(), Complaint> {
        self.buffered(bytes)?;
        let flushed = self.to.flush();
        self.settle(flushed)
    }

    fn buffered(&mut self, bytes: &[u8]) -> Result<(), Complaint> {
        if self.closed {
            return Ok(());
        }
        let written = self.to.write_all(bytes);
        self.settle(written)
    }

    fn settle(&mut self, result: io::Result<()>) -> Result<(), Complaint> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.closed = true,
            Err(error) => {
                return Err(Complaint::new(format!("cannot write {}: {error}", self.name)));
            }
            Ok(()) => {}
        }
        Ok(())
    }
}
