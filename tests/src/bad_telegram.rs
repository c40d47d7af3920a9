//! A Bot API that behaves badly on command, and notes who does not behave well to it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What it does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Delivers it.
    Well,
    /// Asks to wait for so many seconds.
    Wait(u64),
    /// Answers with that status and description.
    Says(u16, &'static str),
    /// The group is another one now.
    Moved(i64),
    /// Never answers.
    Silent,
    /// Delivers it, and closes in the middle of the answer.
    Cut,
    /// Answers a byte a second.
    Slow,
    /// Answers something that is no JSON.
    Garbage,
    /// Sends the caller elsewhere.
    Elsewhere(String),
}

/// A message that it was given.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When, since it began.
    pub at: Duration,
    /// The path of the request, which holds the token.
    pub path: String,
    /// The body of the request.
    pub body: Value,
    /// Its number, where it was delivered.
    pub delivered: Option<i64>,
}

impl Seen {
    /// The text.
    pub fn text(&self) -> &str {
        self.body["text"].as_str().unwrap_or_default()
    }

    /// The chat.
    pub fn chat(&self) -> String {
        match &self.body["chat_id"] {
            Value::String(chat) => chat.clone(),
            other => other.to_string(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    moods: VecDeque<Mood>,
    /// What a random number chooses from, and the number.
    any_of: Vec<Mood>,
    random: u64,
    by_chat: BTreeMap<String, Mood>,
    seen: Vec<Seen>,
    /// Until when a chat is to wait, and when that was said.
    not_before: BTreeMap<String, (Instant, Instant)>,
    arrivals: BTreeMap<String, Vec<Instant>>,
    wrongs: Vec<String>,
    number: i64,
}

/// A server on a port of its own.
#[derive(Clone, Debug)]
pub struct BadTelegram {
    port: u16,
    began: Instant,
    state: Arc<Mutex<State>>,
}

impl BadTelegram {
    /// Starts one that is well. It lives as long as the process.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let port = listener.local_addr().expect("it has an address").port();
        let server = Self { port, began: Instant::now(), state: Arc::default() };
        let serving = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = serving.clone();
                thread::spawn(move || server.serve(&stream));
            }
        });
        server
    }

    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it does with the next requests, one after the other.
    pub fn next(&self, moods: impl IntoIterator<Item = Mood>) {
        self.lock().moods.extend(moods);
    }

    /// What it does with requests for a chat.
    pub fn always(&self, chat: &str, mood: Mood) {
        self.lock().by_chat.insert(chat.to_owned(), mood);
    }

    /// What it does from now on: any of these, by a seed.
    pub fn any_of(&self, seed: u64, moods: Vec<Mood>) {
        let mut state = self.lock();
        (state.random, state.any_of) = (seed | 1, moods);
    }

    /// The caller was killed just now: what was said to it in the instant before, nobody has heard.
    pub fn caller_was_killed(&self) {
        const INSTANT: Duration = Duration::from_millis(100);
        self.lock().not_before.retain(|_, (_, said)| said.elapsed() >= INSTANT);
    }

    /// What came, up to now.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    /// What was delivered, up to now.
    pub fn delivered(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.delivered.is_some()).collect()
    }

    /// What the caller did wrong, up to now.
    pub fn wrongs(&self) -> Vec<String> {
        self.lock().wrongs.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) {
        let mut input = BufReader::new(stream);
        while let Some((path, body)) = request(&mut input) {
            if !self.answer(stream, path, &body) {
                break;
            }
        }
    }

    /// Answers; may more come?
    fn answer(&self, mut stream: &TcpStream, path: String, body: &[u8]) -> bool {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut seen = Seen { at: self.began.elapsed(), path, body, delivered: None };
        let chat = seen.chat();
        let mood = {
            let mut state = self.lock();
            state.look_at(&chat, &seen);
            let mut mood = state.mood(&chat);
            if seen.text().encode_utf16().count() > 4096 {
                state
                    .wrongs
                    .push(format!("a text of {} units", seen.text().encode_utf16().count()));
                mood = Mood::Says(400, "Bad Request: message is too long");
            }
            if let Mood::Wait(seconds) = mood {
                let now = Instant::now();
                state.not_before.insert(chat, (now + Duration::from_secs(seconds), now));
            }
            if matches!(mood, Mood::Well | Mood::Cut) {
                state.number += 1;
                seen.delivered = Some(state.number);
            }
            state.seen.push(seen.clone());
            mood
        };
        let (status, answer) = match &mood {
            Mood::Well | Mood::Cut | Mood::Slow => {
                (200, json!({"ok": true, "result": {"message_id": seen.delivered}}).to_string())
            }
            Mood::Wait(seconds) => (
                429,
                json!({"ok": false, "error_code": 429, "parameters": {"retry_after": seconds},
                    "description": format!("Too Many Requests: retry after {seconds}")})
                .to_string(),
            ),
            Mood::Says(code, words) => {
                (*code, json!({"ok": false, "error_code": code, "description": words}).to_string())
            }
            Mood::Moved(to) => (
                400,
                json!({"ok": false, "error_code": 400,
                    "description": "Bad Request: group chat was upgraded to a supergroup chat",
                    "parameters": {"migrate_to_chat_id": to}})
                .to_string(),
            ),
            Mood::Garbage => (200, "\0\u{fffd}{{{".to_owned()),
            Mood::Elsewhere(_) => (302, String::new()),
            Mood::Silent => {
                thread::sleep(Duration::from_secs(60));
                return false;
            }
        };
        let location = match &mood {
            Mood::Elsewhere(to) => format!("location: {to}\r\n"),
            _ => String::new(),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{location}content-length: {}\r\n\r\n",
            answer.len()
        );
        let whole = head + &answer;
        let bytes = whole.as_bytes();
        match mood {
            Mood::Cut => {
                let _ = stream.write_all(&bytes[..bytes.len() - 10]);
                false
            }
            Mood::Slow => {
                for byte in bytes {
                    if stream.write_all(&[*byte]).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_secs(1));
                }
                false
            }
            _ => stream.write_all(bytes).is_ok(),
        }
    }
}

impl State {
    /// Notes what the caller does wrong: too early, too often.
    fn look_at(&mut self, chat: &str, seen: &Seen) {
        let now = Instant::now();
        if let Some(until) = self.not_before.get(chat)
            && now < until.0
        {
            self.wrongs.push(format!("{:?} before it was allowed: {}", until.0 - now, seen.text()));
        }
        let arrivals = self.arrivals.entry(chat.to_owned()).or_default();
        let within =
            |time: Duration| arrivals.iter().rev().take_while(|at| now - **at < time).count();
        if within(Duration::from_secs(1)) > 0 {
            self.wrongs.push(format!("two within a second to {chat}"));
        }
        if chat.starts_with('-') && within(Duration::from_secs(60)) > 19 {
            self.wrongs.push(format!("21 within a minute to {chat}"));
        }
        arrivals.push(now);
    }

    fn mood(&mut self, chat: &str) -> Mood {
        if let Some(mood) = self.moods.pop_front() {
            return mood;
        }
        if let Some(mood) = self.by_chat.get(chat) {
            return mood.clone();
        }
        if self.any_of.is_empty() {
            return Mood::Well;
        }
        // Marsaglia's xorshift.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.any_of[(self.random % self.any_of.len() as u64) as usize].clone()
    }
}

/// The path and the body of a request.
fn request(input: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        input.read_line(&mut line).ok()?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some((path, body))
}
