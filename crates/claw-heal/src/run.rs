//! The story: whose units, what comes in, what is done about it, what goes out.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap_complete::generate;
use claw_box::{groups, state_folder, whose};
use claw_record::{Complaint, Format, Outcome, Output, Source, complain};
use nix::unistd::geteuid;

use crate::args::{self, Args, Verb};
use crate::claw_health::Look;
use crate::decide::Rules;
use crate::healer::{Healer, Next, Unable};
use crate::input::{Event, Input, pass};
use crate::patient::{Kind, patients};
use crate::state::Store;
use crate::tell::Teller;
use crate::verbs;

/// Does what was asked for, and says how it turned out.
pub(crate) fn run(args: &Args) -> Result<Outcome, Complaint> {
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        generate(shell, &mut args::command(), "claw-heal", &mut script);
        Output::stdout(None).piece(&script)?;
        return Ok(Outcome::Well);
    }
    let owner = whose("heal for", args.user.as_deref())?;
    let patients = patients(&args.gateway_unit, &args.monitor_unit, &args.unit)
        .map_err(|why| Complaint::new(format!("cannot heal: {why}")))?;
    let store = Store::new(&args.state.clone().unwrap_or_else(state_folder), &owner.name);
    let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    let source = Source::on("claw-heal", host.clone());
    let look = Look {
        host,
        user: owner.name.clone(),
        gateway_unit: args.gateway_unit.clone(),
        gateway_url: args.gateway_url.clone(),
        timeout: args.timeout,
    };
    let state = args.state.as_ref().map(|state| format!(" --state {}", state.display()));
    // Whoever reads what root tells need not be root.
    let sudo = if geteuid().is_root() { "sudo " } else { "" };
    let reset = format!("{sudo}claw-heal{} reset", state.unwrap_or_default());
    let (limit, cool_down) = (args.limit, args.cool_down);
    let teller = Teller { source, owner, limit, cool_down, reset };
    let mut output = Output::stdout(args.format.map(Format::from));
    match &args.verb {
        Some(Verb::Status) if args.state.is_none() && verbs::is_another_s() => {
            complain("claw-heal", verbs::ANOTHER_S);
            return verbs::status(&store, &patients, &teller, &mut output);
        }
        Some(Verb::Status) => return verbs::status(&store, &patients, &teller, &mut output),
        Some(Verb::Reset { units }) => {
            return verbs::reset(&store, units, args.timeout, &teller, &mut output);
        }
        None => {}
    }
    /// For what is in the pipe, once the tool before has ended.
    const TO_PASS_ON: Duration = Duration::from_secs(2);
    let _guard = groups::guard_filter(TO_PASS_ON);
    // What a record that was lost has said is found out then; who reads one look has ended by then.
    const FIRST: Duration = Duration::from_secs(10);
    let mut healer = Healer {
        rules: Rules {
            limit,
            cool_down,
            grace: args.grace,
            confirm: args.confirm,
            kind: Kind::Other,
        },
        next: vec![Next::first(Instant::now() + FIRST); patients.len()],
        dry: if args.dry_run { Some(store.read()?) } else { None },
        patients,
        store,
        teller,
        look,
        timeout: args.timeout,
        looking: BTreeSet::new(),
        unable: Unable::default(),
        has_given_up: false,
        would_act: false,
    };
    if args.dry_run {
        for record in healer.ladder() {
            output.record(&record)?;
        }
    }
    filter(&mut healer, &mut output)
}

/// Passes on what comes, until no more does and nothing is half done.
fn filter(healer: &mut Healer, output: &mut Output) -> Result<Outcome, Complaint> {
    /// What was begun is brought to its end within this time, or not at all.
    const TO_FINISH: Duration = Duration::from_secs(150);
    let input = Input::start()?;
    let mut is_clean = true;
    let mut end = None;
    loop {
        let event = input.next(healer.due(end.is_some()));
        if output.is_closed() {
            break;
        }
        is_clean &= pass(&event, output)?;
        if groups::is_over() {
            match event {
                Event::End | Event::Broken(_) => break,
                _ => continue,
            }
        }
        match event {
            Event::Record(_, record) => healer.hear(&record, output)?,
            Event::Looked(unit, looked) => healer.looked(unit, &looked, output)?,
            Event::End => end = Some(Instant::now() + TO_FINISH),
            Event::Broken(error) => {
                return Err(Complaint::new(format!("cannot read standard input: {error}")));
            }
            Event::Other(..) | Event::Part(..) | Event::Time => {}
        }
        if end.is_some_and(|end| Instant::now() >= end || !healer.is_busy()) {
            break;
        }
        healer.tick(&input, end.is_some(), output)?;
    }
    Ok(match healer {
        _ if !is_clean || healer.unable.ever => Outcome::Unable,
        _ if healer.has_given_up || healer.would_act => Outcome::NotWell,
        _ => Outcome::Well,
    })
}
