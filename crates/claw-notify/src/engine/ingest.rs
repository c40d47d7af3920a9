//! From the spool to the desks, and what is left in the spool behind them.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Instant;

use claw_record::{Record, Severity, Status};

use super::{Engine, Segment};
use crate::route::Route;
use crate::spool::read::{Cursor, Found, Head, head, is_closed, read, remove, remove_empty};
use crate::spool::{Id, numbers};

impl Engine {
    /// Takes in what was accepted; there may be more.
    pub(super) fn ingest(&mut self) -> bool {
        /// So many records are taken in between two looks at everything else.
        const AT_ONCE: usize = 4000;
        let folder = self.folder();
        let found = match numbers(&folder) {
            Ok(found) => found,
            Err(error) => {
                self.complain_once(format!("cannot read '{}': {error}", folder.display()));
                return false;
            }
        };
        self.segments.retain(|number, _| found.contains(number));
        let mut has_more = false;
        let last = found.last().copied();
        for number in found {
            match self.take_in(number, Some(number) == last, AT_ONCE) {
                Ok(more) => has_more |= more,
                Err(error) => {
                    let path = folder.join(format!("{number:08}"));
                    self.complain_once(format!("cannot read '{}': {error}", path.display()));
                }
            }
        }
        has_more
    }

    fn take_in(&mut self, number: u32, is_last: bool, at_once: usize) -> std::io::Result<bool> {
        let folder = self.folder();
        if !self.segments.contains_key(&number) {
            let (routes, start) = match head(&folder, number)? {
                Head::Routes(routes, start) => (routes, start),
                // Whoever made it has not come so far, or all of it was told.
                Head::Empty => {
                    if !is_last {
                        remove_empty(&folder, number)?;
                    }
                    return Ok(false);
                }
                Head::Damaged => {
                    let words = format!(
                        "the first line of segment {number} of the spool is damaged: \
                         what is there goes where this process tells things"
                    );
                    self.say("spool:segment", Status::Fail, Severity::Error, &words);
                    (self.setup.fallback.clone(), 0)
                }
            };
            let desks = routes.iter().map(|route| self.desk(route)).collect();
            self.segments.insert(number, Segment { desks, start, is_read: false });
        }
        let Some(segment) = self.segments.get(&number) else { return Ok(false) };
        let (desks, start) = (segment.desks.clone(), segment.start);
        let now = self.clock.now();
        let mut is_read = true;
        let mut damaged = Vec::new();
        for at in desks {
            let desk = &mut self.desks[at];
            let mut cursor = desk.cursors.get(&number).copied();
            let before = cursor;
            let cursor = cursor.get_or_insert(Cursor { offset: start, lines: 0 });
            let (rules, numbers) = (&self.setup.rules, &mut self.numbers);
            let all = read(&folder, number, cursor, at_once, |id, place, found| {
                if !desk.has_room() {
                    return false;
                }
                let record = match found {
                    Found::Record(payload) => serde_json::from_slice::<Record>(payload).ok(),
                    Found::Damaged(bytes) => {
                        damaged.push((id, bytes.to_vec()));
                        return true;
                    }
                };
                if let Some(record) = record {
                    desk.hear(id, &record, Some(place.offset), numbers, (now, rules));
                }
                true
            });
            is_read &= *all.as_ref().unwrap_or(&true);
            if before != Some(*cursor) {
                let cursor = *cursor;
                desk.set_cursor(number, Some(cursor));
            }
            all?;
        }
        damaged.sort();
        damaged.dedup();
        self.keep_damaged(&damaged);
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.is_read = is_read;
        }
        Ok(!is_read && self.desks.iter().any(|desk| desk.has_room()))
    }

    /// What is damaged is kept beside, and said.
    fn keep_damaged(&mut self, damaged: &[(Id, Vec<u8>)]) {
        if damaged.is_empty() {
            return;
        }
        let open =
            OpenOptions::new().create(true).append(true).mode(0o600).open(self.path("damaged"));
        let kept = open.and_then(|mut file| {
            for (_, bytes) in damaged {
                file.write_all(bytes)?;
                file.write_all(b"\n")?;
            }
            file.sync_data()
        });
        let kept = match kept {
            Ok(()) => "they are kept in the file 'damaged' of the spool".to_owned(),
            Err(error) => format!("they cannot be kept: {error}"),
        };
        let ids: Vec<_> = damaged.iter().take(5).map(|(id, _)| format!("#{id}")).collect();
        let words = format!(
            "{} lines of the spool are damaged, {} among them; {kept}",
            damaged.len(),
            ids.join(" ")
        );
        self.say("spool:lines", Status::Fail, Severity::Error, &words);
    }

    /// Takes in what could not be put on the disk.
    pub(super) fn take_unspooled(&mut self, routes: &[Route], payloads: &[Vec<u8>]) {
        let now = self.clock.now();
        for route in routes {
            let at = self.desk(route);
            for payload in payloads {
                let Ok(record) = serde_json::from_slice::<Record>(payload) else { continue };
                self.own += 1;
                let id = Id { segment: 0, index: self.own };
                let (numbers, rules) = (&mut self.numbers, &self.setup.rules);
                self.desks[at].hear(id, &record, None, numbers, (now, rules));
            }
        }
    }

    /// Removes the segments of which everything was told.
    pub(super) fn clean(&mut self) {
        let is_over = |(number, segment): (&u32, &Segment)| {
            let told = |at: &usize| !self.desks[*at].needs(*number);
            (segment.is_read && segment.desks.iter().all(told)).then_some(*number)
        };
        let over: Vec<_> = self.segments.iter().filter_map(is_over).collect();
        if over.is_empty() || self.journal.has_changes() {
            return;
        }
        // That it was told has to outlast what was told; but where the disk has no room for that, this
        // is what makes some. Whoever kills us in between is told twice.
        let is_full = self.journal.is_behind();
        if is_full {
            self.next_save = Instant::now();
        }
        let folder = self.folder();
        for number in over {
            let segment = &self.segments[&number];
            let ends = segment.desks.iter().map(|at| self.desks[*at].cursors.get(&number));
            let start = segment.start;
            let end = ends.map(|cursor| cursor.map_or(start, |cursor| cursor.offset)).max();
            if !is_closed(&folder, number) || (!is_full && self.journal.sync().is_err()) {
                continue;
            }
            if let Ok(true) = remove(&folder, number, end.unwrap_or(start)) {
                self.segments.remove(&number);
                for desk in &mut self.desks {
                    if desk.cursors.contains_key(&number) {
                        desk.set_cursor(number, None);
                    }
                }
            }
        }
    }
}
