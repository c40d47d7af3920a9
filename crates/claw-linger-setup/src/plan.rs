//! The plan: steps as values, and how each stands at this moment.

use std::path::{Path, PathBuf};
use std::time::Instant;

use claw_box::Owner;
use claw_record::Status;
use nix::unistd::geteuid;

use crate::act::Act;
use crate::at_home::{self, Answer, Job};
use crate::environment::{Files, Found, Spot};
use crate::ground::Ground;
use crate::manager::Mask;
use crate::{bus, linger, manager, runtime_dir, tool};

/// Where a plan is made.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) owner: Owner,
    pub(crate) ground: Ground,
}

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) subject: String,
    pub(crate) deed: Deed,
    /// How it stood when the plan was made.
    pub(crate) state: State,
}

/// What a step is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Linger,
    Manager,
    RuntimeDir,
    Bus,
    Put(PathBuf),
    Take(PathBuf),
    EndLinger,
    /// There is only something to say.
    Nothing,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is so.
    So(String),
    /// It would change, by these acts; without any it comes by itself once the steps before are done.
    Would { message: String, acts: Vec<Act> },
    /// It is not so, and this is nothing to do about it here.
    Cannot { status: Status, message: String, remedy: Option<String> },
}

impl State {
    pub(crate) fn would(message: impl Into<String>, acts: Vec<Act>) -> Self {
        Self::Would { message: message.into(), acts }
    }

    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::Cannot { status: Status::Unknown, message: message.into(), remedy: None }
    }

    pub(crate) fn cannot(message: String, remedy: String) -> Self {
        Self::Cannot { status: Status::Fail, message, remedy: Some(remedy) }
    }
}

/// The steps of setting up, in their order.
pub(crate) fn set_up(world: &World, deadline: Instant) -> Vec<Step> {
    let Owner { name, uid, .. } = &world.owner;
    let mut steps: Vec<_> = [
        (format!("linger:{name}"), Deed::Linger),
        (format!("user-manager:{name}"), Deed::Manager),
        (format!("runtime-dir:/run/user/{uid}"), Deed::RuntimeDir),
        (format!("bus:{name}"), Deed::Bus),
    ]
    .into_iter()
    .map(|(subject, deed)| {
        let state = look(world, &deed, deadline);
        Step { subject, deed, state }
    })
    .collect();
    steps.extend(environment(world, deadline));
    steps
}

fn environment(world: &World, deadline: Instant) -> Vec<Step> {
    let Owner { name, shell, home, .. } = &world.owner;
    let said = |about: &Path, state| Step { subject: subject(about), deed: Deed::Nothing, state };
    match at_home::ask(&world.owner, Job::Files, deadline) {
        Ok(Answer::Files(Files::Read(spots))) => spots
            .iter()
            .map(|spot| Step {
                subject: subject(&spot.file),
                deed: Deed::Put(spot.file.clone()),
                state: put_state(spot),
            })
            .collect(),
        Ok(Answer::Files(Files::NoShell)) => {
            let message = format!("{name} has no shell to log in to, so nothing has to be set");
            vec![said(Path::new(shell), State::So(message))]
        }
        Ok(Answer::Files(Files::UnknownShell)) => {
            let message = format!("nobody here knows which files {shell} reads");
            let remedy = format!(
                "set XDG_RUNTIME_DIR={} where it reads it",
                world.owner.runtime_dir().display()
            );
            let state = State::Cannot { status: Status::Unknown, message, remedy: Some(remedy) };
            vec![said(Path::new(shell), state)]
        }
        Ok(_) => vec![said(home, State::unknown("the files of the shell were not told"))],
        Err(why) => vec![said(home, State::unknown(why))],
    }
}

/// The steps of taking back what was set up: our blocks wherever they are, and linger where it was
/// turned on here.
pub(crate) fn take_back(world: &World, turned_on: bool, deadline: Instant) -> Vec<Step> {
    let name = &world.owner.name;
    let mut steps: Vec<Step> = match at_home::ask(&world.owner, Job::Blocks, deadline) {
        Ok(Answer::Spots(spots)) => spots
            .iter()
            .map(|spot| Step {
                subject: subject(&spot.file),
                deed: Deed::Take(spot.file.clone()),
                state: take_state(spot),
            })
            .collect(),
        Ok(_) => Vec::new(),
        Err(why) => vec![Step {
            subject: subject(&world.owner.home),
            deed: Deed::Nothing,
            state: State::unknown(why),
        }],
    };
    if steps.is_empty() {
        let message = format!("no file of {name}'s shells holds our block");
        steps.push(Step {
            subject: subject(&world.owner.home),
            deed: Deed::Nothing,
            state: State::So(message),
        });
    }
    let (deed, state) = if turned_on {
        (Deed::EndLinger, look(world, &Deed::EndLinger, deadline))
    } else {
        (Deed::Nothing, linger::not_ours(world))
    };
    steps.push(Step { subject: format!("linger:{name}"), deed, state });
    steps
}

/// How a step stands now.
pub(crate) fn look(world: &World, deed: &Deed, deadline: Instant) -> State {
    match deed {
        Deed::Linger => linger::look(world),
        Deed::EndLinger => linger::look_for_end(world),
        Deed::Manager | Deed::RuntimeDir | Deed::Bus if world.ground == Ground::Installed => {
            State::So("it comes at the next boot: systemd does not run here".to_owned())
        }
        Deed::Manager => manager::look(world),
        Deed::RuntimeDir => runtime_dir::look(world),
        Deed::Bus => bus::look(world, deadline),
        Deed::Put(file) => match at_home::ask(&world.owner, Job::Files, deadline) {
            Ok(Answer::Files(Files::Read(spots))) => spots
                .iter()
                .find(|spot| &spot.file == file)
                .map_or_else(|| State::So("the shell no longer reads it".to_owned()), put_state),
            Ok(_) => State::unknown("the files of the shell were not told"),
            Err(why) => State::unknown(why),
        },
        Deed::Take(file) => match at_home::ask(&world.owner, Job::Blocks, deadline) {
            Ok(Answer::Spots(spots)) => spots.iter().find(|spot| &spot.file == file).map_or_else(
                || State::So(format!("our block is out of '{}'", file.display())),
                take_state,
            ),
            Ok(_) => State::unknown("the files of the shell were not told"),
            Err(why) => State::unknown(why),
        },
        Deed::Nothing => State::unknown("there is nothing to look at"),
    }
}

fn subject(file: &Path) -> String {
    format!("environment:{}", file.display())
}

fn put_state(spot: &Spot) -> State {
    let put =
        |message: String| State::would(message, vec![Act::AtHome(Job::Put(spot.file.clone()))]);
    match &spot.found {
        Found::Good => State::So("shells that read it find the runtime folder and the bus".into()),
        Found::NoFile => put("the shell reads it, and it is not there: it would be made".into()),
        Found::NoBlock => put("shells that read it may not find the runtime folder: \
                               our block would come at its top"
            .into()),
        Found::Wrong(why) => put(format!("{why}: it would be written anew")),
        Found::Torn(_) | Found::Untouchable(_) => untouchable(spot),
    }
}

fn take_state(spot: &Spot) -> State {
    match &spot.found {
        Found::Good | Found::Wrong(_) => State::would(
            "our block would be taken out",
            vec![Act::AtHome(Job::Take(spot.file.clone()))],
        ),
        Found::Untouchable(why) => {
            let file = spot.file.display();
            State::Cannot {
                status: Status::Unknown,
                message: format!("cannot look into '{file}' for our block: {why}"),
                remedy: Some(format!("ls -l '{file}'")),
            }
        }
        Found::NoFile | Found::NoBlock | Found::Torn(_) => untouchable(spot),
    }
}

fn untouchable(spot: &Spot) -> State {
    let file = spot.file.display();
    match &spot.found {
        Found::Torn(why) => {
            State::cannot(format!("cannot change '{file}': {why}"), format!("edit '{file}'"))
        }
        Found::Untouchable(why) => {
            State::cannot(format!("cannot use '{file}': {why}"), format!("ls -lL '{file}'"))
        }
        Found::Good | Found::NoFile | Found::NoBlock | Found::Wrong(_) => {
            State::So("it is as it has to be".to_owned())
        }
    }
}

/// Acts as they are typed, one after the other.
pub(crate) fn typed(owner: &Owner, acts: &[Act]) -> String {
    acts.iter().filter_map(|act| act.typed(owner)).collect::<Vec<_>>().join(" && ")
}

/// What to type where acts could not be performed, or have not been.
pub(crate) fn remedy(world: &World, acts: &[Act]) -> Option<String> {
    let uid = world.owner.uid;
    let helpful = helpful(uid, acts, manager::mask(uid), manager::runs(uid));
    let typed = typed(&world.owner, helpful.as_deref().unwrap_or(acts));
    if !typed.is_empty() {
        return Some(typed);
    }
    acts.iter().any(|act| act.edits().is_some()).then(|| apply(world))
}

/// What helps instead of acts that start the user manager in vain.
fn helpful(uid: u32, acts: &[Act], mask: Option<Mask>, runs: bool) -> Option<Vec<Act>> {
    match (acts, mask) {
        (acts, Some(mask)) if acts.contains(&manager::start(uid)) => Some(mask.end(uid)),
        // One that runs and does not answer is not started once more by that.
        ([start], None) if runs && *start == manager::start(uid) => Some(vec![anew(uid)]),
        _ => None,
    }
}

/// What ends every service of the user, and starts them again.
fn anew(uid: u32) -> Act {
    Act::systemctl(&["restart", &format!("user@{uid}.service")])
}

/// What is left to a person where a step was carried out in vain.
pub(crate) fn last_resort(world: &World, deed: &Deed) -> Option<String> {
    matches!(deed, Deed::Manager | Deed::RuntimeDir | Deed::Bus)
        .then(|| anew(world.owner.uid).typed(&world.owner))
        .flatten()
}

/// How the whole of it is set up.
pub(crate) fn apply(world: &World) -> String {
    if world.owner.is_me() && !geteuid().is_root() {
        "claw-linger-setup --apply".to_owned()
    } else {
        format!("{} --apply --user {}", tool::for_root(), world.owner.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_that_runs_and_does_not_answer_is_started_anew_and_not_once_more() {
        let start = [manager::start(1000)];
        let folder =
            [Act::systemctl(&["restart", "user-runtime-dir@1000.service"]), start[0].clone()];
        let again = vec![Act::systemctl(&["restart", "user@1000.service"])];
        assert_eq!(helpful(1000, &start, None, true), Some(again));
        assert_eq!(helpful(1000, &start, None, false), None);
        assert_eq!(helpful(1000, &folder, None, true), None);
        assert_eq!(helpful(1000, &[], None, true), None);
    }
}
