//! Do services start at boot with nobody logged in?

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use claw_record::{Complaint, Status};

use super::{Verdict, progress, unit};
use crate::at_home::{Answer, Job, ask};
use crate::linger;
use crate::memory::{Memory, Store};
use crate::plan::{World, apply};

const AGAIN: &str = "reboot, then run this again";

/// What the unit noted at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    boot: String,
    /// Without linger only a log-in starts it, and that may have ended before it looked.
    lingered: bool,
    /// The classes of the sessions that the user had.
    sessions: Vec<String>,
}

/// How far the proof has come.
#[derive(Debug, PartialEq, Eq)]
enum Stage<'a> {
    /// It is to be begun.
    Before,
    /// It was begun in this very boot.
    Begun,
    /// It was begun in that boot, and this is another one.
    Rebooted(&'a str),
    /// It has passed in this very boot.
    Passed,
}

fn stage<'a>(memory: &'a Memory, boot: &str) -> Stage<'a> {
    match (&memory.proof_passed_in, &memory.proof_begun_in) {
        (Some(passed), _) if passed == boot => Stage::Passed,
        (_, Some(begun)) if begun == boot => Stage::Begun,
        (_, Some(begun)) => Stage::Rebooted(begun),
        (_, None) => Stage::Before,
    }
}

/// Before the reboot puts a unit in place; after it says whether that unit ran.
pub(super) fn prove(world: &World, store: &Store, timeout: Duration) -> Result<Verdict, Complaint> {
    let owner = &world.owner;
    let file = "/proc/sys/kernel/random/boot_id";
    let boot = fs::read_to_string(file).map_err(|error| Complaint::cannot("read", file, error))?;
    let boot = boot.trim();
    let memory = store.recall()?;
    let do_it = |job| ask(owner, job, Instant::now() + timeout).map_err(Complaint::new);
    let lingers = || linger::is_on(&owner.name).map_err(Complaint::new);
    let begun = match stage(&memory, boot) {
        Stage::Before => {
            let mut memory = memory;
            for file in unit::files(owner).iter().map(|file| &**file).chain([store.file()]) {
                memory.will_make(&owner.home, file);
            }
            begin(store, &memory, boot, do_it)?;
            let message =
                format!("{} has a unit now that tells whether it started at boot", owner.name);
            return Ok(Verdict::new(Status::Warn, message).remedy(AGAIN).note("boot_id", boot));
        }
        Stage::Begun => {
            let message = "there was no reboot since the proof was begun";
            return Ok(Verdict::new(Status::Warn, message).remedy(AGAIN).note("boot_id", boot));
        }
        Stage::Passed => {
            // It may have been broken off between the pass and this.
            do_it(Job::Uproot)?;
            return Ok(judge(world, Some(&Note::passing(boot)), lingers()?).note("boot_id", boot));
        }
        Stage::Rebooted(begun) => begun,
    };
    let lingers = lingers()?;
    let deadline = Instant::now() + timeout;
    let note = loop {
        let note = match do_it(Job::Evidence)? {
            Answer::Evidence(Some(text)) => parse(&text).filter(|note| note.boot == boot),
            _ => None,
        };
        // Right after a boot it may be about to start.
        if note.is_some() || !lingers || Instant::now() >= deadline {
            break note;
        }
        progress("waiting for the unit to start");
        sleep(Duration::from_millis(500));
    };
    let verdict = judge(world, note.as_ref(), lingers);
    if verdict.status == Status::Pass {
        // First remembered: without its note, a pass could not be told again.
        let passed = Some(boot.to_owned());
        store.remember(&Memory {
            proof_begun_in: None,
            proof_passed_in: passed,
            ..memory.clone()
        })?;
        do_it(Job::Uproot)?;
        do_it(Job::Prune(memory.made_folders.clone()))?;
    }
    Ok(verdict.note("boot_id", boot).note("begun_in_boot_id", begun))
}

/// Remembers that the proof is begun, and puts the unit in place: one that nobody remembers would stay.
fn begin(
    store: &Store,
    memory: &Memory,
    boot: &str,
    do_it: impl Fn(Job) -> Result<Answer, Complaint>,
) -> Result<(), Complaint> {
    store.remember(&Memory {
        proof_begun_in: Some(boot.to_owned()),
        proof_passed_in: None,
        ..memory.clone()
    })?;
    do_it(Job::Plant).map(drop).inspect_err(|_| {
        // What could not be put in place as a whole goes; that is all that is left to do here.
        let _ = do_it(Job::Uproot);
        let _ = store.remember(memory);
    })
}

impl Note {
    /// That of a boot in which the proof passed.
    fn passing(boot: &str) -> Self {
        Self { boot: boot.to_owned(), lingered: true, sessions: Vec::new() }
    }
}

/// A boot's number, whether the user lingered, the class of each session, and a last word without which it was cut off.
fn parse(text: &str) -> Option<Note> {
    let mut lines = text.lines();
    let boot = lines.next()?.to_owned();
    let mut sessions: Vec<_> = lines.map(str::to_owned).collect();
    if sessions.pop()? != "end" {
        return None;
    }
    let lingered = sessions.first().is_some_and(|line| line == "lingers");
    if lingered {
        sessions.remove(0);
    }
    // The user manager has a session of its own.
    sessions.retain(|class| !class.starts_with("manager"));
    Some(Note { boot, lingered, sessions })
}

fn judge(world: &World, note: Option<&Note>, lingers: bool) -> Verdict {
    let name = &world.owner.name;
    let uid = world.owner.uid;
    let fail = |message: String| Verdict::new(Status::Fail, message);
    match note {
        Some(note) if !note.lingered => fail(format!(
            "a service of {name} started in this boot only when {name} logged in: {name} did not \
             linger"
        ))
        .remedy(if lingers { AGAIN.to_owned() } else { apply(world) }),
        Some(note) if !note.sessions.is_empty() => Verdict::new(
            Status::Unknown,
            format!(
                "a service of {name} started in this boot, but {name} was logged in by then ({})",
                note.sessions.join(", ")
            ),
        )
        .remedy("reboot, wait a minute before you log in, then run this again"),
        Some(_) if !lingers => Verdict::new(
            Status::Warn,
            format!(
                "a service of {name} started at this boot with nobody logged in, but {name} does \
                 not linger any more"
            ),
        )
        .remedy(apply(world)),
        Some(_) => Verdict::new(
            Status::Pass,
            format!("a service of {name} started at this boot with nobody logged in"),
        ),
        None if !lingers => {
            fail(format!("no service of {name} started at this boot: {name} does not linger"))
                .remedy(apply(world))
        }
        None => fail(format!(
            "{name} lingers, and yet its unit did not start at this boot: the user manager did not \
             start, or not as far as default.target"
        ))
        .remedy(format!("journalctl -b _UID={uid} + UNIT=user@{uid}.service -n 50")),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::ground::Ground;
    use claw_box::Owner;

    #[test]
    fn a_note_is_read_without_the_managers_own_session_and_half_of_one_is_none() {
        let read = |text| parse(text).map(|note| (note.lingered, note.sessions));
        let user = || vec!["user".to_owned()];
        assert_eq!(read("b00t\nend\n"), Some((false, vec![])));
        assert_eq!(read("b00t\nlingers\nmanager\nend\n"), Some((true, vec![])));
        assert_eq!(read("b00t\nlingers\nmanager-early\nuser\nend\n"), Some((true, user())));
        assert_eq!(read("b00t\nunknown\nend\n"), Some((false, vec!["unknown".to_owned()])));
        assert_eq!(read("b00t\n"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_pass_is_repeated_in_its_own_boot_and_another_boot_begins_again() {
        let memory = |begun: Option<&str>, passed: Option<&str>| Memory {
            proof_begun_in: begun.map(str::to_owned),
            proof_passed_in: passed.map(str::to_owned),
            ..Memory::default()
        };
        for (begun, passed, expected) in [
            (None, None, Stage::Before),
            (Some("now"), None, Stage::Begun),
            (Some("then"), None, Stage::Rebooted("then")),
            (None, Some("now"), Stage::Passed),
            (None, Some("then"), Stage::Before),
            (Some("now"), Some("then"), Stage::Begun),
        ] {
            assert_eq!(stage(&memory(begun, passed), "now"), expected, "{begun:?} {passed:?}");
        }
    }

    #[test]
    fn no_unit_is_put_in_place_that_could_not_be_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = RefCell::new(Vec::new());
        let done = |job| {
            jobs.borrow_mut().push(job);
            Ok(Answer::Done)
        };
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").unwrap();
        assert!(begin(&Store::new(&blocked, "dev"), &Memory::default(), "b", done).is_err());
        assert_eq!(jobs.take(), []);
        let store = Store::new(&folder.path().join("state"), "dev");
        let full = |job| {
            jobs.borrow_mut().push(job);
            Err(Complaint::new("no space"))
        };
        assert!(begin(&store, &Memory::default(), "b", full).is_err());
        assert_eq!(jobs.take(), [Job::Plant, Job::Uproot]);
        assert_eq!(store.recall().unwrap(), Memory::default());
        begin(&store, &Memory::default(), "b", done).unwrap();
        assert_eq!(jobs.take(), [Job::Plant]);
        assert_eq!(store.recall().unwrap().proof_begun_in.as_deref(), Some("b"));
    }

    #[test]
    fn s3_a_boot_counts_only_where_nobody_was_logged_in() {
        let owner = Owner::parse("dev:x:1000:1000::/home/dev:").unwrap();
        let world = World { owner, ground: Ground::Running };
        let note = |lingered, sessions: &[&str]| {
            let sessions = sessions.iter().map(|class| (*class).to_owned()).collect();
            Some(Note { boot: "b".into(), lingered, sessions })
        };
        for (note, lingers, expected) in [
            (note(true, &[]), true, Status::Pass),
            (note(true, &[]), false, Status::Warn),
            (note(true, &["user"]), true, Status::Unknown),
            // A log-in so short that its session had gone when the unit looked.
            (note(false, &[]), false, Status::Fail),
            (note(false, &[]), true, Status::Fail),
            (note(false, &["user"]), false, Status::Fail),
            (None, true, Status::Fail),
            (None, false, Status::Fail),
        ] {
            assert_eq!(judge(&world, note.as_ref(), lingers).status, expected, "{note:?}");
        }
    }
}
