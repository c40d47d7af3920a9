//! What is broken, and why: an error text is read, or the box is looked at by itself.
//!
//! A cause is not believed because a text names it: it is looked for on the box as well. Nothing is
//! started by looking, and nothing out of the text is run.

mod caller;
mod causes;
mod diagnosis;
mod errno;
mod folder;
mod init;
mod input;
mod scene;
mod sockets;
mod states;
mod text;
mod typed;
mod units;

use claw_box::{Owner, Users};
use claw_record::{Complaint, Outcome, Output, Source, Status};

use crate::args::Args;
use scene::Scene;
use text::Text;

/// Reads, looks, and says what is broken.
pub(crate) fn run(args: &Args) -> Result<Outcome, Complaint> {
    let text = input::text()?;
    let scene = Scene::look(whose(args, text.as_ref())?, text.as_ref());
    let mut output = Output::stdout(args.format.map(Into::into));
    let source = Source::new("claw-linger-setup");
    let mut outcome = Outcome::Well;
    for (name, diagnosis) in causes::diagnose(&scene, text.as_ref()) {
        if diagnosis.status != Status::Pass {
            outcome = Outcome::NotWell;
        }
        let diagnosis = diagnosis
            .note("user", scene.owner.name.as_str())
            .note("caller_uid", scene.caller.uid)
            .note("caller_way", scene.caller.way.words());
        output.record(&diagnosis.record(&source, name))?;
    }
    Ok(outcome)
}

/// Whose services it is about. Root may have read of somebody else's, and who typed `sudo` means
/// their own.
fn whose(args: &Args, text: Option<&Text>) -> Result<Owner, Complaint> {
    let owner = claw_box::whose("look at", args.user.as_deref())?;
    if args.user.is_some() || !nix::unistd::geteuid().is_root() {
        return Ok(owner);
    }
    let named = |name: String| claw_box::whose("look at", Some(&name)).ok();
    let told = || {
        let uid = text?.uid()?;
        Users::here().numbered(uid).map(|user| user.name.clone())
    };
    let sudo = || std::env::var("SUDO_USER").ok().filter(|_| owner.uid == 0);
    Ok(told().or_else(sudo).and_then(named).unwrap_or(owner))
}
