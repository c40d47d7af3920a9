//! What people ask of whoever delivers.

use claw_record::Status;

use super::Engine;
use crate::clock::wall;
use crate::command::{self, Command};
use crate::silence::Silence;

impl Engine {
    /// Does what was asked, each once.
    pub(super) fn commands(&mut self) {
        let waiting = match command::waiting(&self.setup.spool) {
            Ok(waiting) => waiting,
            Err(error) => {
                let folder = self.path("commands");
                return self.complain_once(format!("cannot read '{}': {error}", folder.display()));
            }
        };
        for (path, command) in waiting {
            self.obey(command);
            self.save();
            // Until it is written down it is done again, which does no harm.
            if !self.journal.is_behind()
                && let Err(error) = std::fs::remove_file(&path)
            {
                self.complain_once(format!("cannot remove '{}': {error}", path.display()));
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Silence { subject, milliseconds, why } => {
                let seconds = i64::try_from(milliseconds.div_ceil(1000)).unwrap_or(i64::MAX);
                let until_wall = wall().saturating_add(seconds);
                let until = now.saturating_add(milliseconds);
                let silence = Silence { until, until_wall, subject, why };
                let number = self.silences.open(silence);
                let kept = self.silences.all.get(&number);
                self.journal.put(&format!("silence/{number}"), &kept);
            }
            Command::EndSilence { number } => self.end_silence(number),
            Command::EndSilences { why } => {
                for number in self.silences.of_reason(&why) {
                    self.end_silence(number);
                }
            }
            Command::Retry => {
                for (target, health) in &mut self.health {
                    health.retry();
                    self.health_changed.insert(target.clone());
                }
                for desk in &mut self.desks {
                    desk.raise(now);
                }
            }
            Command::Drop { ids } => {
                for desk in &mut self.desks {
                    desk.drop_ids(&ids);
                }
                let shown: Vec<_> = ids.iter().map(|id| format!("#{id}")).collect();
                let words = format!("dropped by hand: {}", shown.join(" "));
                let record = self.setup.source.record("drop", "notify:queue", Status::Pass, &words);
                (self.told)(record);
            }
        }
    }

    fn end_silence(&mut self, number: u32) {
        if self.silences.close(number) {
            self.journal.remove(&format!("silence/{number}"));
        }
    }
}
