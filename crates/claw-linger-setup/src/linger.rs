//! Does the user linger, so that services outlive log-out and start at boot?

use std::path::PathBuf;

use crate::act::Act;
use crate::ground::Ground;
use crate::plan::{State, World};

/// Where logind keeps who lingers.
pub(crate) const FOLDER: &str = "/var/lib/systemd/linger";

/// The file whose being there is linger itself. The backslash of a domain's user stands twice in it.
fn file(name: &str) -> PathBuf {
    PathBuf::from(FOLDER).join(name.replace('\\', r"\\"))
}

/// Does that user linger, and if nobody can tell, why not?
pub(crate) fn is_on(name: &str) -> Result<bool, String> {
    let file = file(name);
    match file.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("cannot look at '{}': {error}", file.display())),
    }
}

/// How it stands with linger.
pub(crate) fn look(world: &World) -> State {
    let name = &world.owner.name;
    match is_on(name) {
        Ok(true) => State::So(format!("{name} lingers")),
        Ok(false) => State::would(
            format!(
                "{name} does not linger: its services end with its last session and do not start \
                 at boot"
            ),
            vec![match world.ground {
                Ground::Running => Act::loginctl(&["enable-linger", name]),
                Ground::Installed => Act::Touch(file(name)),
            }],
        ),
        Err(why) => State::unknown(why),
    }
}

/// How it stands with the end of linger.
pub(crate) fn look_for_end(world: &World) -> State {
    let name = &world.owner.name;
    match is_on(name) {
        Ok(false) => State::So(format!(
            "{name} lingers no longer: its services now end with its last session; to keep them: \
             {}",
            Act::loginctl(&["enable-linger", name]).typed(&world.owner).unwrap_or_default()
        )),
        Ok(true) => State::would(
            format!("{name} lingers since --apply"),
            vec![match world.ground {
                Ground::Running => Act::loginctl(&["disable-linger", name]),
                Ground::Installed => Act::Remove(file(name)),
            }],
        ),
        Err(why) => State::unknown(why),
    }
}

/// What is said of a linger that was not turned on here.
pub(crate) fn not_ours(world: &World) -> State {
    let name = &world.owner.name;
    match is_on(name) {
        Ok(true) => State::So(format!(
            "{name} lingers, and not by --apply as far as is remembered: left as it is"
        )),
        Ok(false) => State::So(format!("{name} does not linger")),
        Err(why) => State::unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named_as_logind_names_it() {
        assert_eq!(file("dev"), PathBuf::from("/var/lib/systemd/linger/dev"));
        assert_eq!(file(r"CORP\dev"), PathBuf::from(r"/var/lib/systemd/linger/CORP\\dev"));
    }
}
