//! How often something may be sent where, and from when on again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Milliseconds;

/// So many in so long, for everything that is sent under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) key: String,
    pub(crate) count: usize,
    pub(crate) within: Milliseconds,
}

/// What was sent under a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    at: Vec<Milliseconds>,
    /// The service asked to wait until then.
    not_before: Milliseconds,
}

/// What was sent under all keys. It outlives the process, as the services do.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) sent: BTreeMap<String, Sent>,
}

impl Ledger {
    /// From when on something may be sent.
    pub(crate) fn free_at(&self, limits: &[Limit]) -> Milliseconds {
        let free = |limit: &Limit| {
            let Some(sent) = self.sent.get(&limit.key) else { return 0 };
            let oldest = sent.at.len().checked_sub(limit.count).and_then(|at| sent.at.get(at));
            oldest.map_or(0, |at| at + limit.within).max(sent.not_before)
        };
        limits.iter().map(free).max().unwrap_or(0)
    }

    /// Something is sent now.
    pub(crate) fn send(&mut self, limits: &[Limit], now: Milliseconds) {
        for (at, limit) in limits.iter().enumerate() {
            let is_same = |other: &&Limit| other.key == limit.key;
            if limits[..at].iter().any(|other| is_same(&other)) {
                continue;
            }
            let most = limits.iter().filter(is_same).map(|other| other.count).max();
            let sent = self.sent.entry(limit.key.clone()).or_default();
            sent.at.push(now);
            let excess = sent.at.len().saturating_sub(most.unwrap_or(1));
            sent.at.drain(..excess);
        }
    }

    /// What was sent last arrived no earlier than now.
    pub(crate) fn arrived(&mut self, limits: &[Limit], now: Milliseconds) {
        for limit in limits {
            if let Some(last) = self.sent.get_mut(&limit.key).and_then(|sent| sent.at.last_mut()) {
                *last = now.max(*last);
            }
        }
    }

    /// Forgets what limits nothing any more, and says what that was.
    pub(crate) fn forget(&mut self, now: Milliseconds) -> Vec<String> {
        /// Longer than any limit reaches.
        const LONG: Milliseconds = 3_600_000;
        let is_over = |sent: &Sent| {
            sent.not_before <= now && sent.at.last().is_none_or(|at| at + LONG <= now)
        };
        let over = self.sent.iter().filter(|(_, sent)| is_over(sent));
        let over: Vec<_> = over.map(|(key, _)| key.clone()).collect();
        self.sent.retain(|_, sent| !is_over(sent));
        over
    }

    /// Nothing more under that key until then.
    pub(crate) fn hold(&mut self, key: &str, until: Milliseconds) {
        let sent = self.sent.entry(key.to_owned()).or_default();
        sent.not_before = sent.not_before.max(until);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> Vec<Limit> {
        vec![
            Limit { key: "chat".into(), count: 1, within: 1000 },
            Limit { key: "chat".into(), count: 20, within: 60_000 },
            Limit { key: "bot".into(), count: 30, within: 1000 },
        ]
    }

    #[test]
    fn a_service_that_asks_to_wait_is_obeyed() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.free_at(&limits()), 0);
        ledger.send(&limits(), 5_000);
        assert_eq!(ledger.free_at(&limits()), 6_000);
        ledger.arrived(&limits(), 5_400);
        assert_eq!(ledger.free_at(&limits()), 6_400);
        ledger.hold("chat", 90_000);
        ledger.hold("chat", 80_000);
        assert_eq!(ledger.free_at(&limits()), 90_000);
        assert_eq!(ledger.free_at(&limits()[2..]), 0);
    }

    #[test]
    fn what_limits_nothing_any_more_is_forgotten() {
        let mut ledger = Ledger::default();
        ledger.send(&limits(), 5_000);
        ledger.hold("chat", 9_000_000);
        assert!(ledger.forget(3_604_999).is_empty());
        assert_eq!(ledger.forget(3_605_000), ["bot"]);
        assert_eq!(ledger.forget(9_000_000), ["chat"]);
    }

    proptest! {
        /// Who sends as soon as that is allowed keeps every limit in every window.
        #[test]
        fn every_window_keeps_the_limit(waits in prop::collection::vec(0u64..3000, 1..120)) {
            let mut ledger = Ledger::default();
            let mut now = 10_000;
            let mut sent = Vec::new();
            for wait in waits {
                now = (now + wait).max(ledger.free_at(&limits()));
                ledger.send(&limits(), now);
                sent.push(now);
            }
            for (at, first) in sent.iter().enumerate() {
                let within = |time| sent[at..].iter().filter(|t| **t < first + time).count();
                prop_assert!(within(1000) <= 1 && within(60_000) <= 20);
            }
            prop_assert!(ledger.sent["chat"].at.len() <= 20);
        }
    }
}
