//! Writing what was found, in the format that was asked for.

mod list;
mod nagios;
mod prometheus;

use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use claw_record::{Complaint, Format as Shape, Outcome, Output, Severity, Source, Status, Style};

use crate::args::{Args, Format};
use crate::files::replace::replace;
use crate::finding::{Finding, worse};
use crate::host::Host;
use crate::remedy::typed;

/// Writes findings as they come, or all of them at the end where the format needs them all.
pub(crate) struct Writer {
    format: Format,
    source: Source,
    output: Output,
    file: Option<File>,
    failing: bool,
    /// What is written at the end.
    kept: Vec<(&'static str, Finding)>,
    worst: Status,
    counts: [usize; 4],
}

/// A file that is replaced once everything is written.
struct File {
    path: PathBuf,
    content: std::rc::Rc<std::cell::RefCell<Vec<u8>>>,
}

impl Writer {
    /// A writer for the findings on a host.
    pub(crate) fn new(args: &Args, host: &Host) -> Result<Self, Complaint> {
        Self::of(args, Source::on("claw-health", host.name.clone()))
    }

    /// A writer for what needs no look at a host.
    pub(crate) fn plain(args: &Args) -> Result<Self, Complaint> {
        Self::of(args, Source::new("claw-health"))
    }

    fn of(args: &Args, source: Source) -> Result<Self, Complaint> {
        let shape = match args.format {
            Some(Format::Human) => Some(Shape::Human),
            Some(_) => Some(Shape::Json),
            None => None,
        };
        let (output, file) = match &args.output {
            None => (Output::stdout(shape), None),
            Some(path) if path.as_os_str() == "-" => (Output::stdout(shape), None),
            Some(path) => {
                let content = std::rc::Rc::<std::cell::RefCell<Vec<u8>>>::default();
                let sink = Box::new(Shared(std::rc::Rc::clone(&content)));
                let name = format!("'{}'", path.display());
                let output =
                    Output::to(sink, &name, shape.unwrap_or(Shape::Json), Style::default());
                (output, Some(File { path: path.clone(), content }))
            }
        };
        let format = args.format.unwrap_or(match output.format() {
            Shape::Human => Format::Human,
            Shape::Json => Format::Json,
        });
        Ok(Self {
            format,
            source,
            output,
            file,
            failing: args.failing,
            kept: Vec::new(),
            worst: Status::Pass,
            counts: [0; 4],
        })
    }

    /// Writes what a check found.
    pub(crate) fn finding(
        &mut self,
        check: &'static str,
        finding: Finding,
    ) -> Result<(), Complaint> {
        self.worst = worse(self.worst, finding.status);
        self.counts[finding.status as usize] += 1;
        let is_metric =
            matches!(self.format, Format::Openmetrics | Format::Textfile | Format::Nagios);
        if self.failing && finding.passes() && !is_metric {
            return Ok(());
        }
        if self.format == Format::Json {
            return self.output.record(&finding.record(&self.source));
        }
        self.kept.push((check, finding));
        Ok(())
    }

    /// Writes what is left, and says how it turned out.
    pub(crate) fn finish(mut self) -> Result<Outcome, Complaint> {
        match self.format {
            Format::Json => {}
            Format::Human => self.people()?,
            Format::Nagios => {
                let text = nagios::text(self.worst, self.counts, &self.kept, self.failing);
                self.output.piece(text.as_bytes())?;
            }
            Format::Openmetrics | Format::Textfile => {
                let text = metrics(self.format, &self.kept);
                self.output.piece(text.as_bytes())?;
            }
        }
        let outcome = match (self.format, self.worst) {
            (Format::Nagios, worst) => Outcome::Status(nagios::exit_status(worst)),
            (_, Status::Pass) => Outcome::Well,
            _ => Outcome::NotWell,
        };
        self.save(outcome)
    }

    /// Writes bytes as they are, and ends well.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Result<Outcome, Complaint> {
        self.output.piece(bytes)?;
        self.save(Outcome::Well)
    }

    /// Writes the list of the checks.
    pub(crate) fn list(mut self) -> Result<Outcome, Complaint> {
        match self.format {
            Format::Json => {
                for record in list::records(&self.source) {
                    self.output.record(&record)?;
                }
            }
            _ => self.output.piece(list::text().as_bytes())?,
        }
        self.save(Outcome::Well)
    }

    fn people(&mut self) -> Result<(), Complaint> {
        // The worst stands last, where the eye is.
        self.kept.sort_by_key(|(_, finding)| loudness(finding.status));
        if self.failing && self.kept.is_empty() {
            return Ok(());
        }
        let subjects = self.kept.iter().map(|(_, finding)| finding.subject.as_str());
        self.output.restyle(|style| style.for_subjects(subjects));
        for (_, finding) in &self.kept {
            self.output.record(&finding.record(&self.source))?;
        }
        self.output.text(&tally(self.counts))?;
        match next(&self.kept) {
            Some(remedy) => self.output.text(&format!("next: {}", typed(remedy))),
            None => Ok(()),
        }
    }

    fn save(self, outcome: Outcome) -> Result<Outcome, Complaint> {
        if let Some(file) = &self.file {
            replace_output(&file.path, &file.content.borrow()).map_err(|error| {
                Complaint::cannot("write", &file.path.display().to_string(), error)
            })?;
        }
        Ok(outcome)
    }
}

/// Findings as metrics, in one of the two formats that are.
pub(crate) fn metrics(format: Format, findings: &[(&'static str, Finding)]) -> String {
    let dialect = match format {
        Format::Openmetrics => prometheus::Dialect::Open,
        _ => prometheus::Dialect::Classic,
    };
    prometheus::text(findings, dialect)
}

/// Replaces the file that a path leads to, and nothing but a file. A new one is readable for all, as
/// the collectors of metrics run as other users; an old one keeps its mode.
pub(crate) fn replace_output(path: &Path, content: &[u8]) -> io::Result<()> {
    const MODE: u32 = 0o644;
    let (file, mode) = match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => (path.canonicalize()?, meta.permissions().mode() & 0o777),
        Ok(_) => return Err(io::Error::other("it is there and not a regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
            (path.to_owned(), MODE)
        }
        Err(error) => return Err(error),
    };
    replace(&file, content, mode)
}

/// What to do first: the remedy of the worst of several findings; of those that are equally bad, the
/// first that has one. Nothing where none of them has, as what is less bad can wait.
fn next<'a>(kept: &'a [(&'static str, Finding)]) -> Option<&'a str> {
    let badness = |finding: &Finding| (urgency(finding.severity), loudness(finding.status));
    let bad = || kept.iter().map(|(_, finding)| finding).filter(|finding| !finding.passes());
    let worst = bad().map(badness).max().filter(|_| kept.len() > 1)?;
    bad().filter(|finding| badness(finding) == worst).find_map(|finding| finding.remedy.as_deref())
}

fn urgency(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Error => 2,
        Severity::Critical => 3,
    }
}

fn loudness(status: Status) -> u8 {
    match status {
        Status::Pass => 0,
        Status::Unknown => 1,
        Status::Warn => 2,
        Status::Fail => 3,
    }
}

/// How many findings of each kind there were: `12 pass, 1 warn`.
fn tally(counts: [usize; 4]) -> String {
    let kinds = [Status::Fail, Status::Warn, Status::Unknown, Status::Pass];
    let parts: Vec<_> = kinds
        .into_iter()
        .map(|status| (counts[status as usize], status))
        .filter(|(count, status)| *count > 0 || *status == Status::Pass)
        .map(|(count, status)| format!("{count} {status}"))
        .collect();
    parts.join(", ")
}

/// A buffer that the output writes into and the file is made from.
struct Shared(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_first_is_the_remedy_of_the_worst() {
        let pass = || Finding::pass("a", "x").remedy("of the pass");
        let warn = |how: &str| Finding::warn("b", "x").remedy(how);
        let fail = || Finding::fail("c", "x").remedy("of the error");
        let critical = || Finding::critical("d", "x").remedy("of the critical one");
        let unknown = || Finding::unknown("e", "x").remedy("of the unknown");
        let quiet = || Finding { severity: Severity::Info, ..warn("of the quiet one") };
        for (case, findings, expected) in [
            ("nothing", vec![], None),
            ("one alone says it itself", vec![critical()], None),
            ("all is well", vec![pass(), pass()], None),
            ("an error", vec![pass(), warn("w"), fail(), unknown()], Some("of the error")),
            (
                "a critical one",
                vec![fail(), critical(), fail(), warn("w")],
                Some("of the critical one"),
            ),
            ("the first of equals", vec![warn("first"), warn("second"), pass()], Some("first")),
            ("of the same loudness, the worse", vec![unknown(), warn("w")], Some("w")),
            ("quiet ones come last", vec![quiet(), unknown()], Some("of the unknown")),
            ("the worst has none", vec![Finding::critical("f", "x"), fail(), warn("w")], None),
            (
                "an equal has one",
                vec![Finding::critical("f", "x"), critical()],
                critical().remedy.as_deref(),
            ),
        ] {
            let kept: Vec<_> = findings.into_iter().map(|finding| ("check", finding)).collect();
            assert_eq!(next(&kept), expected, "{case}");
        }
    }
}
