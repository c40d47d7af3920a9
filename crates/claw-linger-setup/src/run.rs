//! The story: whose services, what is to be done, doing it, and how it turned out.

use std::io::ErrorKind::NotFound;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap_complete::generate;
use claw_box::{groups, state_folder, whose};
use claw_record::{Complaint, Format, Outcome, Output, Record, Source, Status};
use nix::unistd::geteuid;
use serde_json::Value;

use crate::act::Act;
use crate::args::{self, Args};
use crate::at_home::{self, Job};
use crate::environment::{Dialect, lines};
use crate::ground::ground;
use crate::memory::{Memory, Store};
use crate::plan::{Deed, State, Step, World, last_resort, look, remedy, set_up, take_back};
use crate::{explain, prove};

/// Does what was asked for, and says how it turned out.
pub(crate) fn run(args: &Args) -> Result<Outcome, Complaint> {
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        generate(shell, &mut args::command(), "claw-linger-setup", &mut script);
        Output::stdout(None).piece(&script)?;
        return Ok(Outcome::Well);
    }
    let _guard = groups::guard(true);
    if args.explain {
        return explain::run(args);
    }
    let owner = whose(verb(args), args.user.as_deref())?;
    let world = World { owner, ground: ground()? };
    let store = Store::new(&args.state.clone().unwrap_or_else(state_folder), &world.owner.name);
    let source = Source::new("claw-linger-setup");
    let mut output = Output::stdout(args.format.map(Format::from));
    if args.prove {
        return prove::run(args, &world, &store, &source, &mut output);
    }
    let memory = if args.apply || args.remove { store.recall()? } else { Memory::default() };
    let deadline = Instant::now() + args.timeout;
    let steps = if args.remove {
        take_back(&world, memory.turned_linger_on, deadline)
    } else {
        set_up(&world, deadline)
    };
    output.restyle(|style| style.for_subjects(steps.iter().map(|step| &*step.subject)));
    let mut writer = Writer { world: &world, source, output };
    if args.apply || args.remove {
        let failed = carry_out(&steps, args, &store, memory, &mut writer)?;
        if failed > 0 {
            let reason = format!("{failed} of {} steps could not be done", steps.len());
            return Err(Complaint::cannot(verb(args), &world.owner.name, reason));
        }
        return Ok(Outcome::Well);
    }
    let mut is_so = true;
    for step in &steps {
        writer.stands(step, args.dry_run)?;
        is_so &= matches!(step.state, State::So(_));
    }
    Ok(if is_so { Outcome::Well } else { Outcome::NotWell })
}

/// What is to be done with a user.
fn verb(args: &Args) -> &'static str {
    if args.apply {
        "set up"
    } else if args.remove {
        "take back the set-up of"
    } else if args.prove {
        "prove the set-up of"
    } else {
        "look at"
    }
}

/// Carries out the plan, and says how many steps could not be done.
fn carry_out(
    steps: &[Step],
    args: &Args,
    store: &Store,
    mut memory: Memory,
    writer: &mut Writer,
) -> Result<usize, Complaint> {
    let world = writer.world;
    let (mut failed, mut any_changed) = (0, false);
    for step in steps {
        if let (Deed::Put(file), State::Would { .. }) = (&step.deed, &step.state) {
            memory.will_make(&world.owner.home, file);
        }
    }
    if !memory.made_folders.is_empty() && args.apply {
        memory.will_make(&world.owner.home, store.file());
        store.remember(&memory)?;
    }
    for step in steps {
        let acts = matches!(&step.state, State::Would { acts, .. } if !acts.is_empty());
        let before = memory.clone();
        if step.deed == Deed::Linger && acts && !memory.turned_linger_on {
            // First remembered, so that it can be taken back whatever happens in between.
            memory.will_make(&world.owner.home, store.file());
            memory.turned_linger_on = true;
            store.remember(&memory)?;
        }
        // What waits for a step that was not done waits in vain.
        let patience = if failed == 0 { args.timeout } else { Duration::ZERO };
        // Who may not start a user manager waits for the one that logind starts for whoever lingers.
        if any_changed && !geteuid().is_root() {
            wait_for(world, step, patience);
        }
        let end = carry_out_step(world, step, args.timeout, patience);
        let is_done = matches!(end, End::Is { .. });
        any_changed |= matches!(end, End::Is { changed: true, .. });
        failed += usize::from(!is_done);
        if step.deed == Deed::Linger && acts && !is_done {
            // What it was remembered in goes as well, where that is all that was made.
            let before = Memory { turned_linger_on: false, ..before };
            let made = std::mem::replace(&mut memory, before).made_folders;
            store.remember(&memory)?;
            at_home::ask(&world.owner, Job::Prune(made), Instant::now() + args.timeout)
                .map_err(Complaint::new)?;
        }
        writer.ended(step, end)?;
    }
    if args.remove {
        // Whatever is remembered: it may be another state folder, or one that could not be written.
        at_home::ask(&world.owner, Job::Uproot, Instant::now() + args.timeout)
            .map_err(Complaint::new)?;
        let linger = memory.turned_linger_on && failed > 0;
        let kept = if failed > 0 { memory.made_folders.clone() } else { Vec::new() };
        let now = Memory { turned_linger_on: linger, made_folders: kept, ..Memory::default() };
        store.remember(&now)?;
        if !memory.made_folders.is_empty() {
            let prune = Job::Prune(memory.made_folders);
            at_home::ask(&world.owner, prune, Instant::now() + args.timeout)
                .map_err(Complaint::new)?;
        }
    }
    Ok(failed)
}

/// How a step ended.
enum End {
    Is { message: String, changed: bool },
    IsNot { status: Status, message: String, remedy: Option<String> },
}

/// How often it is looked whether something has become so.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until a step is so by itself, though not for ever.
fn wait_for(world: &World, step: &Step, patience: Duration) {
    let until = Instant::now() + patience;
    while matches!(step.state, State::Would { .. })
        && matches!(step.deed, Deed::Manager | Deed::RuntimeDir | Deed::Bus)
        && !matches!(look(world, &step.deed, until), State::So(_))
        && Instant::now() < until
    {
        sleep(PAUSE);
    }
}

/// Does what a step still needs now, and waits until it is so.
fn carry_out_step(world: &World, step: &Step, timeout: Duration, patience: Duration) -> End {
    let planned = matches!(step.state, State::Would { .. });
    let deadline = Instant::now() + timeout;
    let now = if step.deed == Deed::Nothing {
        step.state.clone()
    } else {
        look(world, &step.deed, deadline)
    };
    let acts = match now {
        State::So(message) => return End::Is { message, changed: planned },
        State::Cannot { status, message, remedy } => {
            return End::IsNot { status, message, remedy };
        }
        State::Would { acts, .. } => acts,
    };
    for act in &acts {
        if let Err(message) = act.perform(&world.owner, deadline) {
            let remedy = act.cure(&world.owner, &message).or_else(|| remedy(world, &acts));
            return End::IsNot { status: Status::Fail, message, remedy };
        }
    }
    let until = Instant::now() + patience;
    loop {
        match look(world, &step.deed, until.max(Instant::now() + PAUSE)) {
            State::So(message) => return End::Is { message, changed: true },
            State::Cannot { status, message, remedy } => {
                return End::IsNot { status, message, remedy };
            }
            State::Would { message, acts } if Instant::now() >= until => {
                if patience.is_zero() {
                    let remedy = remedy(world, &acts);
                    return End::IsNot { status: Status::Fail, message, remedy };
                }
                let message = format!("after {} s still: {message}", patience.as_secs());
                let remedy = last_resort(world, &step.deed).or_else(|| remedy(world, &acts));
                return End::IsNot { status: Status::Fail, message, remedy };
            }
            State::Would { .. } => sleep(PAUSE),
        }
    }
}

struct Writer<'a> {
    world: &'a World,
    source: Source,
    output: Output,
}

impl Writer<'_> {
    /// Writes how a step stands; with `in_full` the very commands and lines as well.
    fn stands(&mut self, step: &Step, in_full: bool) -> Result<(), Complaint> {
        let record =
            |status, message: &str| self.source.record("step", &step.subject, status, message);
        let record = match &step.state {
            State::So(message) => changed(record(Status::Pass, message), false),
            State::Cannot { status, message, remedy } => {
                Record { remedy: remedy.clone(), ..record(*status, message) }
            }
            State::Would { message, acts } => {
                let mut record = record(Status::Warn, message);
                if in_full {
                    self.detail(&mut record, acts);
                } else {
                    record.remedy = remedy(self.world, acts);
                }
                record
            }
        };
        self.output.record(&record)?;
        if in_full && self.output.format() == Format::Human {
            let list = |key: &str| match record.data.get(key) {
                Some(Value::Array(list)) => list.clone(),
                _ => Vec::new(),
            };
            for command in list("commands").iter().filter_map(Value::as_str) {
                self.output.text(&format!("          $ {command}"))?;
            }
            for line in list("lines").iter().filter_map(Value::as_str) {
                self.output.text(&format!("          | {line}"))?;
            }
        }
        Ok(())
    }

    /// What the acts are to the letter.
    fn detail(&self, record: &mut Record, acts: &[Act]) {
        let owner = &self.world.owner;
        let commands: Vec<_> = acts.iter().filter_map(|act| act.typed(owner)).collect();
        if !commands.is_empty() {
            record.data.insert("commands".to_owned(), commands.into());
        }
        for act in acts {
            if let Some(file) = act.edits() {
                record.data.insert("file".to_owned(), file.display().to_string().into());
                let is_new = file.symlink_metadata().is_err_and(|error| error.kind() == NotFound);
                let lines = lines(owner, Dialect::of(file), is_new);
                record.data.insert("lines".to_owned(), lines.into());
            }
        }
    }

    /// Writes how a step ended.
    fn ended(&mut self, step: &Step, end: End) -> Result<(), Complaint> {
        let record = match end {
            End::Is { message, changed: did } => {
                let message = if did { format!("done: {message}") } else { message };
                let record = self.source.record("step", &step.subject, Status::Pass, &message);
                changed(record, did)
            }
            End::IsNot { status, message, remedy } => {
                let record = self.source.record("step", &step.subject, status, &message);
                Record { remedy, ..record }
            }
        };
        self.output.record(&record)
    }
}

fn changed(mut record: Record, changed: bool) -> Record {
    record.data.insert("changed".to_owned(), changed.into());
    record
}
