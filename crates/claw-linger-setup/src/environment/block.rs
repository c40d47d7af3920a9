//! Our block in a file that a shell reads: put in, found again, taken out. Pure functions.

use std::path::Path;

use serde::{Deserialize, Serialize};

const START: &str = "# >>> claw-linger-setup >>>";
const END: &str = "# <<< claw-linger-setup <<<";
/// Stands in the block of a file that was not there before.
const MADE: &str = "# This file was not there before: it goes with this block.";

/// How the shells that read a file want it written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Dialect {
    /// What dash, bash and zsh read alike.
    Posix,
    Fish,
}

impl Dialect {
    /// The dialect of a file, by its name.
    pub(crate) fn of(file: &Path) -> Self {
        if file.extension().is_some_and(|end| end == "fish") { Self::Fish } else { Self::Posix }
    }
}

/// The block of a user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    uid: u32,
    dialect: Dialect,
}

/// What a file holds of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Good,
    /// It has to be written anew, and why.
    Wrong(String),
    /// Where it ends cannot be told, so it is nobody's to cut.
    Torn(String),
}

/// A part of a file, in bytes.
type Span = std::ops::Range<usize>;

impl Block {
    pub(super) fn new(uid: u32, dialect: Dialect) -> Self {
        Self { uid, dialect }
    }

    /// The block as it has to be. It runs no program, and is right in a shell that another user's
    /// `su` has left with another user's variables. A bus that is none of `/run/user` was chosen by
    /// somebody and stays.
    pub(super) fn text(&self, made: bool) -> String {
        let dir = format!("/run/user/{}", self.uid);
        let made = if made { format!("{MADE}\n") } else { String::new() };
        let body = match self.dialect {
            Dialect::Posix => format!(
                "\
if [ -O {dir} ]; then
  XDG_RUNTIME_DIR={dir}
  export XDG_RUNTIME_DIR
  case ${{DBUS_SESSION_BUS_ADDRESS:-}} in
    '' | unix:path=/run/user/*)
      unset DBUS_SESSION_BUS_ADDRESS
      if [ -S {dir}/bus ]; then
        DBUS_SESSION_BUS_ADDRESS=unix:path={dir}/bus
        export DBUS_SESSION_BUS_ADDRESS
      fi
      ;;
  esac
fi
"
            ),
            Dialect::Fish => format!(
                "\
if test -O {dir}
    set -gx XDG_RUNTIME_DIR {dir}
    switch \"$DBUS_SESSION_BUS_ADDRESS\"
        case '' 'unix:path=/run/user/*'
            set -e DBUS_SESSION_BUS_ADDRESS
            if test -S {dir}/bus
                set -gx DBUS_SESSION_BUS_ADDRESS unix:path={dir}/bus
            end
    end
end
"
            ),
        };
        format!(
            "{START}\n\
             # Where the user services of this account are found, for shells that were not told.\n\
             {made}{body}{END}\n"
        )
    }

    /// What a file holds of ours.
    pub(super) fn held(&self, text: &[u8]) -> Held {
        let spans = match self.spans(text) {
            Ok(spans) => spans,
            Err(line) => {
                return Held::Torn(format!("the block that begins in line {line} has no end"));
            }
        };
        match &spans.whole[..] {
            _ if spans.is_torn => Held::Wrong("half of our block is in it".to_owned()),
            [] => Held::Nothing,
            [one] if self.is_good(&text[one.clone()]) => Held::Good,
            [_] => Held::Wrong("our block in it is another one".to_owned()),
            _ => Held::Wrong("our block is in it more than once".to_owned()),
        }
    }

    fn is_good(&self, block: &[u8]) -> bool {
        [false, true].iter().any(|made| block == self.text(*made).as_bytes())
    }

    /// The text with our block at its top, once; nothing to read is a file that is not there.
    pub(super) fn put(&self, text: Option<&[u8]>) -> Result<Option<Vec<u8>>, String> {
        let (rest, made) = match text {
            Some(text) => self.without(text)?,
            None => (Vec::new(), true),
        };
        let mut put = self.text(made).into_bytes();
        put.extend(rest);
        Ok(Some(put))
    }

    /// The text without our block; nothing where the file goes with it.
    pub(super) fn take(&self, text: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let (rest, made) = self.without(text)?;
        Ok(if made && rest.is_empty() { None } else { Some(rest) })
    }

    /// The text without what is ours in it, and whether the file was made with it.
    fn without(&self, text: &[u8]) -> Result<(Vec<u8>, bool), String> {
        let torn = |line| format!("the block that begins in line {line} has no end");
        let spans = self.spans(text).map_err(torn)?;
        let mut rest = Vec::with_capacity(text.len());
        let (mut from, mut made) = (0, false);
        for span in spans.all() {
            rest.extend(&text[from..span.start]);
            made |= lines(&text[span.clone()]).any(|(_, line)| line == MADE.as_bytes());
            from = span.end;
        }
        rest.extend(&text[from..]);
        Ok((rest, made))
    }

    /// Where our blocks are. One without an end is as long as its lines are those that we write; where
    /// not one of them is, nobody can tell, and the number of its line is the answer.
    fn spans(&self, text: &[u8]) -> Result<Spans, usize> {
        let own = self.text(true);
        let is_own = |line: &[u8]| own.lines().any(|own| own.as_bytes() == line);
        let all: Vec<_> = lines(text).collect();
        let mut spans = Spans::default();
        let mut at = 0;
        while at < all.len() {
            let (span, line) = &all[at];
            if *line == END.as_bytes() {
                spans.torn(span.clone());
            } else if *line == START.as_bytes() {
                let next = all[at + 1..]
                    .iter()
                    .position(|(_, line)| *line == START.as_bytes() || *line == END.as_bytes());
                let next = next.map(|next| at + 1 + next);
                match next {
                    Some(end) if all[end].1 == END.as_bytes() => {
                        spans.whole.push(span.start..all[end].0.end);
                        at = end;
                    }
                    _ => {
                        let ours =
                            all[at + 1..].iter().take_while(|(_, line)| is_own(line)).count();
                        if ours == 0 && at + 1 < all.len() {
                            return Err(at + 1);
                        }
                        spans.torn(span.start..all[at + ours].0.end);
                        at += ours;
                    }
                }
            }
            at += 1;
        }
        Ok(spans)
    }
}

#[derive(Debug, Default)]
struct Spans {
    whole: Vec<Span>,
    halves: Vec<Span>,
    is_torn: bool,
}

impl Spans {
    fn torn(&mut self, span: Span) {
        self.halves.push(span);
        self.is_torn = true;
    }

    fn all(self) -> Vec<Span> {
        let mut all = [self.whole, self.halves].concat();
        all.sort_unstable_by_key(|span| span.start);
        all
    }
}

/// Each line with its place, which holds its end; the line itself is without it, be it LF or CRLF.
fn lines(text: &[u8]) -> impl Iterator<Item = (Span, &[u8])> {
    let mut at = 0;
    text.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let span = at..at + line.len();
        at = span.end;
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        (span, bare.strip_suffix(b"\r").unwrap_or(bare))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSIX: Block = Block { uid: 1000, dialect: Dialect::Posix };

    fn put(text: &str) -> String {
        String::from_utf8(POSIX.put(Some(text.as_bytes())).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn s6_what_was_put_in_comes_out_byte_for_byte() {
        for text in [
            "",
            "\n",
            "case $- in *i*) ;; *) return;; esac\nalias a=b\n",
            "no newline at the end",
            "with\r\ncrlf\r\n",
            "\u{feff}a mark\n",
            "# >>> conda initialize >>>\n# <<< conda initialize <<<\n",
        ] {
            let with = put(text);
            assert!(with.ends_with(text) && with.starts_with(START), "{text:?}");
            assert_eq!(POSIX.held(with.as_bytes()), Held::Good, "{text:?}");
            assert_eq!(put(&with), with, "a second time changes nothing");
            let without = POSIX.take(with.as_bytes()).unwrap().unwrap();
            assert_eq!(String::from_utf8(without).unwrap(), text);
        }
        let binary = b"\xff\xfe latin \xe9\n";
        let with = POSIX.put(Some(binary)).unwrap().unwrap();
        assert_eq!(POSIX.take(&with).unwrap().unwrap(), binary);
    }

    #[test]
    fn s6_a_file_that_we_made_goes_again_unless_somebody_has_written_in_it() {
        let made = POSIX.put(None).unwrap().unwrap();
        assert_eq!(POSIX.held(&made), Held::Good);
        assert_eq!(POSIX.put(Some(&made)).unwrap().unwrap(), made);
        assert_eq!(POSIX.take(&made), Ok(None));
        let more = [&made[..], b"alias a=b\n"].concat();
        assert_eq!(POSIX.take(&more), Ok(Some(b"alias a=b\n".to_vec())));
    }

    #[test]
    fn a_block_that_is_not_as_it_has_to_be_is_written_anew_and_nothing_is_lost() {
        let good = POSIX.text(false);
        let half: String = good.lines().take(5).map(|line| format!("{line}\n")).collect();
        let crlf = good.replace('\n', "\r\n");
        for (what, text, rest) in [
            ("of another user", put("").replace("1000", "1001") + "a\n", "a\n"),
            ("twice", format!("a\n{good}b\n{good}c\n"), "a\nb\nc\n"),
            ("half of it", format!("{half}a\nb\n"), "a\nb\n"),
            ("half of it, and all of it", format!("{half}a\n{good}b\n"), "a\nb\n"),
            ("its end alone", format!("a\n{END}\nb\n"), "a\nb\n"),
            ("its start at the very end", format!("a\n{START}"), "a\n"),
            ("with the line ends of DOS", format!("{crlf}a\r\n"), "a\r\n"),
        ] {
            assert!(matches!(POSIX.held(text.as_bytes()), Held::Wrong(_)), "{what}");
            assert_eq!(put(&text), format!("{good}{rest}"), "{what}");
            let taken = POSIX.take(text.as_bytes()).unwrap().unwrap();
            assert_eq!(String::from_utf8(taken).unwrap(), rest, "{what}");
        }
    }

    #[test]
    fn a_start_that_is_followed_by_nothing_of_ours_is_left_to_people() {
        let text = format!("a\n{START}\nprecious\n");
        let why = "the block that begins in line 2 has no end".to_owned();
        assert_eq!(POSIX.held(text.as_bytes()), Held::Torn(why.clone()));
        assert_eq!(POSIX.put(Some(text.as_bytes())), Err(why.clone()));
        assert_eq!(POSIX.take(text.as_bytes()), Err(why));
    }
}
