//! What a record says, as far as people are told.

use claw_record::{Record, Severity, Status};
use serde::{Deserialize, Serialize};

use crate::spool::Id;
use crate::text;

/// What a record says, as far as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fact {
    pub(crate) id: Id,
    /// Seconds since 1970.
    pub(crate) time: i64,
    pub(crate) tool: String,
    pub(crate) event: String,
    pub(crate) status: Status,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    /// So many bytes of the message were left out, as it would be endless.
    #[serde(default)]
    pub(crate) more: usize,
    pub(crate) remedy: Option<String>,
}

/// As much of it is kept once it was told.
const LONGEST_TOLD: usize = 3_000;

impl Fact {
    /// The fact in a record.
    pub(crate) fn of(id: Id, record: &Record) -> Self {
        const LONGEST_WORD: usize = 200;
        let told = text::told(record);
        let (message, more) = text::begin(&told, text::LONGEST);
        Self {
            id,
            time: record.time.unix_timestamp(),
            tool: text::cut(&record.tool, LONGEST_WORD),
            event: text::cut(&record.event, LONGEST_WORD),
            status: record.status,
            severity: record.severity,
            message: message.to_owned(),
            more,
            remedy: record
                .remedy
                .as_ref()
                .map(|remedy| text::cut(&claw_record::shown(remedy), LONGEST_TOLD)),
        }
    }

    /// What it says, and that it is not all where it is not.
    pub(crate) fn words(&self) -> String {
        text::with_more(&self.message, self.more)
    }

    /// Is it a state, which lasts until a record says otherwise? Everything else happens and is over.
    pub(crate) fn lasts(&self) -> bool {
        const STATES: [&str; 3] = ["check", "gave-up", "finding"];
        self.status != Status::Pass && STATES.contains(&self.event.as_str())
    }

    /// Is it something by itself, and no more of the same?
    pub(crate) fn happened(&self) -> bool {
        text::is_words(&self.event) || (self.status != Status::Pass && !self.lasts())
    }

    /// Does it end in the same words?
    pub(crate) fn says(&self, other: &Self) -> bool {
        self.message.ends_with(text::begin(&other.message, LONGEST_TOLD).0)
    }

    /// Says what that one said before it, as far as there is room.
    pub(crate) fn follow(&mut self, before: &Self) {
        if before.says(self) {
            self.repeat(before);
        } else if before.more > 0 {
            let more = before.more + self.message.len() + self.more;
            (self.message, self.more) = (before.message.clone(), more);
        } else {
            let both = format!("{}\n{}", before.message, self.message);
            let (message, more) = text::begin(&both, text::LONGEST);
            (self.message, self.more) = (message.to_owned(), self.more + more);
        }
    }

    /// Says what that one says.
    pub(crate) fn repeat(&mut self, other: &Self) {
        self.message.clone_from(&other.message);
        self.more = other.more;
    }

    /// It was told: no more of it has to be kept than tells it apart.
    pub(crate) fn shorten(&mut self) {
        let (message, more) = text::begin(&self.message, LONGEST_TOLD);
        (self.message, self.more) = (message.to_owned(), self.more + more);
    }
}

#[cfg(test)]
mod tests {
    use claw_record::Source;

    use super::*;

    fn fact(event: &str, message: &str) -> Fact {
        let mut record = Source::on("t", "h".into()).record(event, "s", Status::Fail, "");
        record.message = message.to_owned();
        if event == "text" {
            record.data.insert("text".to_owned(), message.into());
        }
        Fact::of(Id { segment: 1, index: 1 }, &record)
    }

    #[test]
    fn what_follows_is_told_as_well_and_a_repeat_is_not() {
        let mut second = fact("crash", "boom again");
        second.follow(&fact("crash", "boom"));
        assert_eq!(second.words(), "boom\nboom again");
        let mut third = fact("crash", "boom again");
        third.follow(&second);
        assert_eq!(third.words(), "boom\nboom again");
        assert!(third.says(&fact("crash", "boom again")) && !third.says(&fact("crash", "boo")));
    }

    #[test]
    fn what_is_left_out_is_counted_to_the_byte() {
        let long = "x".repeat(text::LONGEST + 5);
        let mut second = fact("text", &long);
        assert_eq!((second.message.len(), second.more), (text::LONGEST, 5));
        second.follow(&fact("text", "0123456789"));
        assert_eq!((second.message.len(), second.more), (text::LONGEST, 5 + 11));
        let mut third = fact("text", "more");
        third.follow(&second);
        assert_eq!((third.message.len(), third.more), (text::LONGEST, 5 + 11 + 4));
        third.shorten();
        assert_eq!(third.more, text::LONGEST - LONGEST_TOLD + 20);
    }

    /// A record cannot write lines that look like another's.
    #[test]
    fn the_lines_of_a_text_are_its_own_and_those_of_others_are_shown() {
        assert_eq!(fact("text", "a\nb").message, "a\nb");
        assert_eq!(fact("check", "a\n#9.9").message, "a\\n#9.9");
    }
}
