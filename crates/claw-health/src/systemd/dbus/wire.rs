//! How values and messages stand on the wire of D-Bus, as far as it takes to ask systemd.

/// The types that may stand one in another, as the protocol has it.
const DEPTH_LIMIT: u32 = 64;

const ENDIAN: u8 = if cfg!(target_endian = "little") { b'l' } else { b'B' };
const METHOD_CALL: u8 = 1;
/// Asking must not start a service that does not run.
const NO_AUTO_START: u8 = 2;

/// A value that came over the bus, with no more of its type than a reader needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Signed(i64),
    Unsigned(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// An array, a structure, or a pair of a key and a value.
    List(Vec<Value>),
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn unsigned(&self) -> Option<u64> {
        if let Self::Unsigned(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn signed(&self) -> Option<i64> {
        if let Self::Signed(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }

    pub(crate) fn list(&self) -> &[Value] {
        if let Self::List(values) = self { values } else { &[] }
    }
}

/// An argument of a call.
pub(crate) enum Argument<'a> {
    Text(&'a str),
    Texts(&'a [&'a str]),
}

/// A method, as it is addressed.
pub(crate) struct Method<'a> {
    pub(crate) path: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) name: &'a str,
}

/// A method call.
pub(super) fn message(
    serial: u32,
    service: Option<&str>,
    method: &Method,
    arguments: &[Argument],
) -> Vec<u8> {
    let (mut body, mut signature) = (Vec::new(), String::new());
    for argument in arguments {
        match argument {
            Argument::Text(text) => {
                signature.push('s');
                put_text(&mut body, text);
            }
            Argument::Texts(texts) => {
                signature.push_str("as");
                let mut array = Vec::new();
                texts.iter().for_each(|text| put_text(&mut array, text));
                put_word(&mut body, array.len());
                body.extend(array);
            }
        }
    }
    let mut fields = Vec::new();
    put_field(&mut fields, 1, 'o', method.path);
    put_field(&mut fields, 2, 's', method.interface);
    put_field(&mut fields, 3, 's', method.name);
    if let Some(service) = service {
        put_field(&mut fields, 6, 's', service);
    }
    if !signature.is_empty() {
        put_field(&mut fields, 8, 'g', &signature);
    }
    let mut message = vec![ENDIAN, METHOD_CALL, NO_AUTO_START, 1];
    put_word(&mut message, body.len());
    message.extend(serial.to_ne_bytes());
    put_word(&mut message, fields.len());
    message.extend(fields);
    align(&mut message, 8);
    message.extend(body);
    message
}

fn put_field(to: &mut Vec<u8>, code: u8, kind: char, text: &str) {
    align(to, 8);
    to.extend([code, 1, kind as u8, 0]);
    if kind == 'g' {
        to.push(text.len() as u8);
        to.extend(text.bytes());
        to.push(0);
    } else {
        put_text(to, text);
    }
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    align(to, 4);
    put_word(to, text.len());
    to.extend(text.bytes());
    to.push(0);
}

fn put_word(to: &mut Vec<u8>, number: usize) {
    to.extend((number as u32).to_ne_bytes());
}

fn align(to: &mut Vec<u8>, to_bytes: usize) {
    to.resize(to.len().next_multiple_of(to_bytes), 0);
}

/// A message that came back.
pub(super) struct Answer {
    pub(super) kind: u8,
    pub(super) reply_to: Option<u32>,
    pub(super) error: String,
    /// The object that a signal is of, and its name.
    pub(super) path: String,
    pub(super) member: String,
    pub(super) body: Vec<Value>,
}

/// What the first bytes of a message say: how long its parts are.
pub(super) const FIXED_BYTES: usize = 16;

/// The length of a whole message, and where its body begins.
pub(super) fn extent(fixed: &[u8; FIXED_BYTES]) -> Result<(usize, usize), String> {
    if fixed[0] != ENDIAN {
        return Err("answered in a foreign byte order".to_owned());
    }
    let mut reader = Reader { bytes: fixed, at: 4 };
    let (body, _serial, fields) = (reader.word()?, reader.word()?, reader.word()?);
    let head = (FIXED_BYTES as u64 + u64::from(fields)).next_multiple_of(8);
    let length = |bytes| usize::try_from(bytes).map_err(|_| garbled());
    Ok((length(head + u64::from(body))?, length(head)?))
}

impl Answer {
    pub(super) fn parse(bytes: &[u8], body_at: usize) -> Result<Self, String> {
        let mut reader = Reader { bytes: &bytes[..body_at], at: 12 };
        let fields = reader.value(&mut "a(yv)", 0)?;
        let mut answer = Self {
            kind: bytes[1],
            reply_to: None,
            error: String::new(),
            path: String::new(),
            member: String::new(),
            body: Vec::new(),
        };
        let mut signature = "";
        for field in fields.list() {
            match field.list() {
                [Value::Unsigned(1), Value::Text(path)] => answer.path.clone_from(path),
                [Value::Unsigned(3), Value::Text(member)] => answer.member.clone_from(member),
                [Value::Unsigned(4), Value::Text(name)] => answer.error.clone_from(name),
                [Value::Unsigned(5), Value::Unsigned(serial)] => {
                    answer.reply_to = u32::try_from(*serial).ok();
                }
                [Value::Unsigned(8), Value::Text(text)] => signature = text,
                _ => {}
            }
        }
        // A body begins at a multiple of eight, so what is aligned in it is aligned in itself.
        let mut reader = Reader { bytes: &bytes[body_at..], at: 0 };
        while !signature.is_empty() {
            answer.body.push(reader.value(&mut signature, 0)?);
        }
        Ok(answer)
    }
}

/// Reads values one after another, and never past the end.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next value; its type is taken off the front of the signature.
    fn value(&mut self, signature: &mut &str, depth: u32) -> Result<Value, String> {
        if depth > DEPTH_LIMIT {
            return Err(garbled());
        }
        Ok(match take(signature)? {
            b'y' => Value::Unsigned(self.byte()?.into()),
            b'b' | b'u' | b'h' => Value::Unsigned(self.word()?.into()),
            b'i' => Value::Signed(i32::from_ne_bytes(self.array()?).into()),
            b'q' => Value::Unsigned(u16::from_ne_bytes(self.array()?).into()),
            b'n' => Value::Signed(i16::from_ne_bytes(self.array()?).into()),
            b't' => Value::Unsigned(u64::from_ne_bytes(self.array()?)),
            b'x' => Value::Signed(i64::from_ne_bytes(self.array()?)),
            b'd' => Value::Double(f64::from_ne_bytes(self.array()?)),
            b's' | b'o' => {
                let length = self.word()? as usize;
                Value::Text(self.text(length)?)
            }
            b'g' => {
                let length = self.byte()?.into();
                Value::Text(self.text(length)?)
            }
            b'v' => {
                let length = self.byte()?.into();
                let inner = self.text(length)?;
                let mut rest = inner.as_str();
                let value = self.value(&mut rest, depth + 1)?;
                if !rest.is_empty() {
                    return Err(garbled());
                }
                value
            }
            b'a' => {
                let length = self.word()? as usize;
                let element = *signature;
                let mut after = element;
                skip(&mut after, 0)?;
                *signature = after;
                self.align(alignment(element.as_bytes()[0]))?;
                let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
                let end = end.ok_or_else(garbled)?;
                if element.starts_with('y') {
                    return Ok(Value::Bytes(self.part(length)?.to_vec()));
                }
                let mut values = Vec::new();
                while self.at < end {
                    let before = self.at;
                    values.push(self.value(&mut { element }, depth + 1)?);
                    // An element of no bytes would go on for ever.
                    if self.at == before {
                        return Err(garbled());
                    }
                }
                Value::List(values)
            }
            b'(' | b'{' => {
                self.align(8)?;
                let mut values = Vec::new();
                while !signature.starts_with([')', '}']) {
                    values.push(self.value(signature, depth + 1)?);
                }
                take(signature)?;
                Value::List(values)
            }
            _ => return Err(garbled()),
        })
    }

    fn text(&mut self, length: usize) -> Result<String, String> {
        let text = String::from_utf8_lossy(self.part(length)?).into_owned();
        self.part(1)?;
        Ok(text)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.part(1)?[0])
    }

    fn word(&mut self) -> Result<u32, String> {
        Ok(u32::from_ne_bytes(self.array()?))
    }

    /// A number of so many bytes, which stands at a multiple of them.
    fn array<const BYTES: usize>(&mut self) -> Result<[u8; BYTES], String> {
        self.align(BYTES)?;
        self.part(BYTES)?.try_into().map_err(|_| garbled())
    }

    fn align(&mut self, bytes: usize) -> Result<(), String> {
        self.part(self.at.next_multiple_of(bytes) - self.at).map(drop)
    }

    fn part(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length).ok_or_else(garbled)?;
        let part = self.bytes.get(self.at..end).ok_or_else(garbled)?;
        self.at = end;
        Ok(part)
    }
}

fn take(signature: &mut &str) -> Result<u8, String> {
    let first = *signature.as_bytes().first().filter(|byte| byte.is_ascii()).ok_or_else(garbled)?;
    *signature = &signature[1..];
    Ok(first)
}

/// Takes one whole type off the front of a signature.
fn skip(signature: &mut &str, depth: u32) -> Result<(), String> {
    if depth > DEPTH_LIMIT {
        return Err(garbled());
    }
    match take(signature)? {
        b'a' => skip(signature, depth + 1),
        b'(' | b'{' => {
            while !signature.starts_with([')', '}']) {
                skip(signature, depth + 1)?;
            }
            take(signature).map(drop)
        }
        _ => Ok(()),
    }
}

fn alignment(kind: u8) -> usize {
    match kind {
        b'n' | b'q' => 2,
        b'b' | b'u' | b'i' | b'h' | b's' | b'o' | b'a' => 4,
        b't' | b'x' | b'd' | b'(' | b'{' => 8,
        _ => 1,
    }
}

fn garbled() -> String {
    "answered with something that is not D-Bus".to_owned()
}
