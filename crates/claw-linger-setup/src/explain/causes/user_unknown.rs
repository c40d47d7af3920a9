//! Is there the user that was named?

use super::super::diagnosis::Diagnosis;
use super::super::scene::Scene;
use super::super::text::Heard;
use super::super::typed::{Step, line};
use super::super::units::distance;
use super::{Cause, Looks};

pub(super) const CAUSE: Cause = Cause {
    name: "user-unknown",
    texts: &[&[
        "failed to look up user",
        "sudo: unknown user",
        "su: user * does not exist",
        "runuser: user * does not exist",
    ]],
    looks: Looks::Heard,
    judge,
};

fn judge(scene: &Scene, heard: Option<&Heard<'_>>) -> Option<Diagnosis> {
    let set_up =
        |name: &str| line(scene, &[Step::Root(format!("claw-linger-setup --apply --user {name}"))]);
    let Some(name) = heard?.text.user() else {
        return Some(
            Diagnosis::fail("the user that the text speaks of cannot be one's name")
                .remedy(set_up(&scene.owner.name)),
        );
    };
    if scene.users.named(&name).is_some() {
        return Some(
            Diagnosis::warn(format!("by now there is a user {name}")).remedy(set_up(&name)),
        );
    }
    let number = name.parse::<u32>().ok();
    let near = nearest(scene, &name);
    Some(match (number, near) {
        (Some(uid), _) => Diagnosis::fail(format!("nobody on this box has the user id {uid}"))
            .remedy(set_up(&scene.owner.name)),
        (None, Some(near)) => {
            Diagnosis::fail(format!("there is no user {name}; there is one {near}"))
                .remedy(set_up(near))
        }
        (None, None) => Diagnosis::fail(format!("there is no user {name} on this box"))
            .remedy(line(scene, &[Step::Root(format!("useradd --create-home {name}"))])),
    })
}

/// The user whose name is nearest, if one is near: one letter away, or two where it is a person's.
fn nearest<'a>(scene: &'a Scene, name: &str) -> Option<&'a str> {
    const FIRST_PERSON: u32 = 1000;
    const SHORT: usize = 3;
    let users = scene.users.listed().iter();
    users
        .map(|user| (distance(&user.name, name), user.uid, user.name.as_str()))
        .filter(|(distance, uid, _)| {
            *distance == 1 || *distance == 2 && *uid >= FIRST_PERSON && name.len() > SHORT
        })
        .min_by_key(|(distance, uid, known)| (*distance, *uid < FIRST_PERSON, *known))
        .map(|(.., known)| known)
}
