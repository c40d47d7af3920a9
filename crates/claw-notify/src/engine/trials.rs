//! From time to time it is tried whether a target works: whoever finds out when it matters is too late.

use claw_record::Severity;

use super::Engine;
use crate::channels;
use crate::clock::Milliseconds;
use crate::message::Message;
use crate::route::Route;
use crate::spool::{Id, Ids};
use crate::trial;

impl Engine {
    /// Sends a trial to every target, where it is time for it. One that fails is told as any other
    /// message that fails.
    pub(super) fn try_targets(&mut self, now: Milliseconds) {
        let Some(every) = self.setup.test_every else { return };
        if self.tested.is_some_and(|tested| now < tested.saturating_add(every)) {
            return;
        }
        self.tested = Some(now);
        self.journal.put("tested", &now);
        let routes = self.setup.fallback.iter();
        let mut targets: Vec<_> = routes.flat_map(|route| route.targets.clone()).collect();
        targets.sort();
        targets.dedup();
        for target in targets {
            let Ok((channel, _)) = channels::of(&target) else { continue };
            if !channel.proves {
                continue;
            }
            let at = self.desk(&Route::trial(target));
            // The one before it is still tried.
            if !self.desks[at].outbox.is_empty() {
                continue;
            }
            self.own += 1;
            self.numbers += 1;
            let mut ids = Ids::default();
            ids.add(Id { segment: 0, index: self.own }, 1);
            let body = trial::body(channel, &ids.to_string(), &self.setup.source);
            self.desks[at].post(Message::new(self.numbers, Severity::Info, body, ids, 1, now));
        }
    }
}
