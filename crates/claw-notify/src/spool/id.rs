//! The number of a record in the spool, and sets of them as they stand in a message.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a record was accepted: the number of the segment, and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Id {
    pub(crate) segment: u32,
    pub(crate) index: u32,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.segment, self.index)
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let not = || "not the id of a record, such as 12.3".to_owned();
        let (segment, index) = text.trim_start_matches('#').split_once('.').ok_or_else(not)?;
        let number = |digits: &str| digits.parse().map_err(|_| not());
        Ok(Self { segment: number(segment)?, index: number(index)? })
    }
}

/// Ids, as ranges within segments. Of many that lie apart, the narrowest gaps are closed: then the
/// ids are among those that it names, and how many they are stands beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ids {
    /// Segment, first and last, in order.
    ranges: Vec<(u32, u32, u32)>,
}

impl Ids {
    /// Adds one, and keeps no more ranges than `most`.
    pub(crate) fn add(&mut self, id: Id, most: usize) {
        self.add_range((id.segment, id.index, id.index));
        self.narrow(most);
    }

    /// Adds all of those.
    pub(crate) fn add_all(&mut self, others: &Self, most: usize) {
        for range in &others.ranges {
            self.add_range(*range);
        }
        self.narrow(most);
    }

    /// May the id be one of them?
    pub(crate) fn holds(&self, id: Id) -> bool {
        let has = |&(segment, first, last): &(u32, u32, u32)| {
            segment == id.segment && (first..=last).contains(&id.index)
        };
        self.ranges.iter().any(has)
    }

    /// Is any of them in that segment?
    pub(crate) fn touches(&self, segment: u32) -> bool {
        self.ranges.iter().any(|range| range.0 == segment)
    }

    /// How many of them are in that segment.
    pub(crate) fn count_in(&self, segment: u32) -> u64 {
        let there = self.ranges.iter().filter(|range| range.0 == segment);
        there.map(|(_, first, last)| u64::from(last - first) + 1).sum()
    }

    fn add_range(&mut self, (segment, first, last): (u32, u32, u32)) {
        let before =
            |range: &(u32, u32, u32)| (range.0, range.2.saturating_add(1)) < (segment, first);
        let at = self.ranges.partition_point(before);
        let (mut low, mut high, mut end) = (first, last, at);
        while let Some(&(other, from, to)) = self.ranges.get(end)
            && other == segment
            && from <= last.saturating_add(1)
        {
            (low, high, end) = (low.min(from), high.max(to), end + 1);
        }
        self.ranges.splice(at..end, [(segment, low, high)]);
    }

    fn narrow(&mut self, most: usize) {
        while self.ranges.len() > most {
            let gap = |at: &usize| {
                let ((segment, _, to), (next, from, _)) = (self.ranges[*at], self.ranges[at + 1]);
                if segment == next { u64::from(from - to) } else { u64::MAX }
            };
            let narrowest = (0..self.ranges.len() - 1).min_by_key(gap);
            match narrowest.filter(|at| gap(at) < u64::MAX) {
                Some(at) => {
                    self.ranges[at].2 = self.ranges[at + 1].2;
                    self.ranges.remove(at + 1);
                }
                // Segments are never taken for one another.
                None => return,
            }
        }
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (segment, first, last)) in self.ranges.iter().enumerate() {
            let comma = if at == 0 { "" } else { " " };
            if first == last {
                write!(f, "{comma}#{segment}.{first}")?;
            } else {
                write!(f, "{comma}#{segment}.{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(segment: u32, index: u32) -> Id {
        Id { segment, index }
    }

    #[test]
    fn ids_are_read_and_written() {
        assert_eq!("#12.3".parse(), Ok(id(12, 3)));
        assert_eq!("12.3".parse(), Ok(id(12, 3)));
        for text in ["", "12", "a.b", "1.2.3", "-1.2"] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
        let mut ids = Ids::default();
        for (segment, index) in [(2, 5), (1, 7), (2, 6), (2, 4), (2, 9), (1, 7)] {
            ids.add(id(segment, index), 10);
        }
        assert_eq!(ids.to_string(), "#1.7 #2.4-6 #2.9");
        ids.add(id(2, 11), 2);
        assert_eq!(ids.to_string(), "#1.7 #2.4-11");
    }

    proptest! {
        /// Whatever the order, and however few ranges are allowed, none is lost; and where there is
        /// room for all, none is added.
        #[test]
        fn none_is_lost(all in prop::collection::vec((0u32..3, 0u32..60), 0..80), most in 1usize..40) {
            let mut ids = Ids::default();
            for &(segment, index) in &all {
                ids.add(id(segment, index), most);
            }
            let set: BTreeSet<_> = all.iter().copied().collect();
            for &(segment, index) in &set {
                prop_assert!(ids.holds(id(segment, index)));
                prop_assert!(ids.touches(segment));
            }
            prop_assert!(ids.ranges.len() <= most.max(3));
            if set.len() <= most {
                let held = (0..3).flat_map(|s| (0..60).map(move |i| (s, i)))
                    .filter(|&(s, i)| ids.holds(id(s, i))).count();
                prop_assert_eq!(held, set.len());
            }
        }
    }
}
