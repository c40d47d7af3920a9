//! A line of the spool: its checksum, its kind, and what it holds.

/// The first line of a segment: for whom the records are.
pub(crate) const HEAD: u8 = b'h';
/// A record.
pub(crate) const RECORD: u8 = b'r';

/// Appends a line. The payload has no line break.
pub(crate) fn write(to: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[kind, b' ']);
    sum.update(payload);
    hex(to, sum.finalize());
    to.extend_from_slice(&[b' ', kind, b' ']);
    to.extend_from_slice(payload);
    to.push(b'\n');
}

/// The kind and the payload of a line without its newline; nothing where it is damaged.
pub(crate) fn read(line: &[u8]) -> Option<(u8, &[u8])> {
    let (sum, rest) = line.split_at_checked(8)?;
    let body = rest.strip_prefix(b" ")?;
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    let &[kind, b' ', ref payload @ ..] = body else { return None };
    (crc32fast::hash(body) == sum).then_some((kind, payload))
}

fn hex(to: &mut Vec<u8>, number: u32) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    to.extend((0..8).rev().map(|at| DIGITS[(number >> (at * 4)) as usize & 15]));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_can_be_read_by_people() {
        let mut line = Vec::new();
        write(&mut line, RECORD, b"{}");
        assert_eq!(line, b"3a405c57 r {}\n");
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_seen(payload in "[^\n]{0,40}", at in 0usize..400, bit in 0u8..8) {
            let mut line = Vec::new();
            write(&mut line, RECORD, payload.as_bytes());
            line.pop();
            prop_assert_eq!(read(&line), Some((RECORD, payload.as_bytes())));
            let at = at % line.len();
            line[at] ^= 1 << bit;
            let is_case = at < 8 && bit == 5;
            prop_assert!(is_case || read(&line).is_none());
        }

        #[test]
        fn nothing_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&line);
        }
    }
}
