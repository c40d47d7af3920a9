//! The checks: a list of rows, one file a check, each answering one question.
//!
//! To add one: write the file, and add its two lines here.

mod agent;
mod backup;
mod bind;
mod bus;
mod certificate;
mod clock;
mod disk;
mod exec;
mod file;
mod gateway;
mod http;
mod journal;
mod last_crash;
mod linger;
mod load;
mod memory;
mod oom;
mod pressure;
mod process;
mod reboot_required;
mod runtime_dir;
mod tcp;
pub(crate) mod unit;
mod updates;
mod websocket;
mod workspace;

use claw_record::Status;

use crate::finding::Finding;
use crate::host::Host;
use crate::look::Look;
use crate::settings::Setting;
use crate::target::Target;

/// Every check, in the order in which they are looked at and written.
pub(crate) static ALL: &[&Check] = &[
    &unit::CHECK,
    &gateway::CHECK,
    &agent::CHECK,
    &websocket::CHECK,
    &bind::CHECK,
    &linger::CHECK,
    &runtime_dir::CHECK,
    &bus::CHECK,
    &disk::CHECK,
    &memory::CHECK,
    &load::CHECK,
    &pressure::CHECK,
    &oom::CHECK,
    &clock::CHECK,
    &certificate::CHECK,
    &workspace::CHECK,
    &backup::CHECK,
    &journal::CHECK,
    &updates::CHECK,
    &reboot_required::CHECK,
    &http::CHECK,
    &tcp::CHECK,
    &process::CHECK,
    &file::CHECK,
    &exec::CHECK,
    &last_crash::CHECK,
];

/// A row of the list.
#[derive(Debug)]
pub(crate) struct Check {
    /// Its name, the first part of its subjects.
    pub(crate) name: &'static str,
    /// One line about it.
    pub(crate) about: &'static str,
    /// How its operand is spelled; empty where it takes none.
    pub(crate) operand: &'static str,
    /// Its limits and other settings; their names begin with its own, or with its last word.
    pub(crate) settings: &'static [Setting],
    /// What there is to look at when nobody says what.
    pub(crate) find: Find,
    /// What must be there, or there is nothing to look at.
    pub(crate) needs: Needs,
    /// May it wait for something: a network, another process, a disk that hangs?
    pub(crate) waits: bool,
    /// Does it run other programs, which take longer than most answers?
    pub(crate) runs_programs: bool,
    /// How often a monitor looks at it, unless it is told otherwise: what changes slowly, or costs
    /// much, is looked at seldom. 0 is as often as it looks at all.
    pub(crate) every_seconds: u64,
    /// Is a failure that it tells of a fact, which no second look need confirm?
    pub(crate) is_sure: bool,
    /// Looks. An error is the reason why it could not.
    pub(crate) run: fn(&Look) -> Found,
}

/// What a look gives.
pub(crate) type Found = Result<Vec<Finding>, String>;

/// What a check looks at when nobody says what.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Find {
    /// The one thing there is.
    Once,
    /// Nothing: the one thing there is is history, and looked at only where somebody asks for it.
    Named,
    /// Nothing: it has to be told.
    Asked,
    /// The operands that this finds on the box.
    On(fn(&Host) -> Vec<String>),
}

impl Find {
    /// Is it looked at only where somebody asks for it?
    fn is_left_out(self) -> bool {
        matches!(self, Self::Named | Self::Asked)
    }
}

/// What a check needs on the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Its files, which may also stand in the tree of another host.
    Files,
    /// The running kernel or the network.
    Running,
    /// A systemd that runs.
    Systemd,
    /// An OpenClaw that is installed, and its files.
    OpenClaw,
    /// An OpenClaw that is installed, and the running kernel.
    Gateway,
}

impl Needs {
    /// Is a tree of files not enough?
    pub(crate) fn a_running_host(self) -> bool {
        matches!(self, Self::Running | Self::Systemd | Self::Gateway)
    }
}

/// The targets that apply to this box, and one finding for each thing that is not there.
pub(crate) fn applicable(host: &Host, skip: &[String]) -> (Vec<Target>, Vec<Finding>) {
    let absences = absences(host);
    let (mut targets, mut absent) = (Vec::new(), Vec::new());
    for absence in &absences {
        let left_out: Vec<_> = ALL
            .iter()
            .filter(|check| absence.needs.contains(&check.needs))
            .filter(|check| !check.find.is_left_out())
            .filter(|check| !skip.iter().any(|name| name == check.name))
            .map(|check| check.name)
            .collect();
        if !left_out.is_empty() {
            let message = format!("{}; not looked at: {}", absence.message, left_out.join(", "));
            let finding = Finding::judged(absence.status, absence.subject, message);
            let finding = finding.note("left_out", left_out.clone());
            absent.push(match &absence.remedy {
                Some(remedy) => finding.remedy(remedy.clone()),
                None => finding,
            });
        }
    }
    for check in ALL {
        let is_absent = absences.iter().any(|absence| absence.needs.contains(&check.needs));
        if !is_absent && !check.find.is_left_out() {
            targets.push(Target { check, operand: String::new() });
        }
    }
    (targets, absent)
}

/// Something that is not there, and the checks that need it.
struct Absence {
    subject: &'static str,
    status: Status,
    needs: &'static [Needs],
    message: String,
    remedy: Option<String>,
}

fn absences(host: &Host) -> Vec<Absence> {
    let mut absences = Vec::new();
    if !host.is_running() {
        absences.push(Absence {
            subject: "tree",
            status: Status::Pass,
            needs: &[Needs::Running, Needs::Systemd, Needs::Gateway],
            message: format!("this is a tree of files ({}), not a running host", host.name),
            remedy: None,
        });
    } else if !host.has_systemd() {
        absences.push(Absence {
            subject: "systemd",
            status: Status::Unknown,
            needs: &[Needs::Systemd],
            message: format!("systemd does not run here: process 1 is {}", host.first_process()),
            remedy: Some("run OpenClaw on a host that was booted with systemd".to_owned()),
        });
    }
    if !host.has_openclaw() {
        absences.push(Absence {
            subject: "openclaw",
            status: Status::Unknown,
            needs: if host.is_running() {
                &[Needs::OpenClaw, Needs::Gateway]
            } else {
                &[Needs::OpenClaw]
            },
            message: format!(
                "OpenClaw is not set up for {}: {} is not there",
                host.owner().name,
                host.openclaw_home().display()
            ),
            remedy: Some(
                "set it up with 'openclaw onboard', or say whose it is with --user NAME".to_owned(),
            ),
        });
    }
    absences
}

/// The looks that a target stands for: a check without an operand looks at all that it finds.
pub(crate) fn expand(target: Target, host: &Host) -> Vec<Target> {
    match target.check.find {
        Find::On(find) if target.operand.is_empty() => {
            find(host).into_iter().map(|operand| Target { check: target.check, operand }).collect()
        }
        _ => vec![target],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_settings_begin_with_them_or_with_their_last_word() {
        let names: BTreeSet<_> = ALL.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), ALL.len());
        for check in ALL {
            assert!(!check.about.is_empty() && !check.about.ends_with('.'), "{}", check.name);
            for setting in check.settings {
                let begins = |name| setting.name.starts_with(&format!("{name}-"));
                let last_word = check.name.rsplit('-').next().unwrap();
                assert!(begins(check.name) || begins(last_word), "{}", setting.name);
                assert!(!setting.about.is_empty(), "{}", setting.name);
            }
        }
    }

    /// A file that is never declared draws no warning from the compiler.
    #[test]
    fn every_file_of_the_folder_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/checks");
        let files: BTreeSet<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                entry.unwrap().path().file_stem().unwrap().to_string_lossy().replace('_', "-")
            })
            .filter(|stem| stem != "mod")
            .collect();
        let names: BTreeSet<_> = ALL.iter().map(|check| check.name.to_owned()).collect();
        assert_eq!(files, names);
    }
}
