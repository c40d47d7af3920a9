//! What is the cause, and what helps.

use claw_record::{Record, Source, Status};
use serde_json::{Map, Value};

/// A cause that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Diagnosis {
    pub(crate) status: Status,
    message: String,
    remedy: Option<String>,
    data: Map<String, Value>,
}

impl Diagnosis {
    /// It is what is broken.
    pub(crate) fn fail(message: impl Into<String>) -> Self {
        Self::new(Status::Fail, message)
    }

    /// It will be, or was, or is elsewhere.
    pub(crate) fn warn(message: impl Into<String>) -> Self {
        Self::new(Status::Warn, message)
    }

    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(Status::Unknown, message)
    }

    pub(crate) fn pass(message: impl Into<String>) -> Self {
        Self::new(Status::Pass, message)
    }

    fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), remedy: None, data: Map::new() }
    }

    pub(crate) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    pub(crate) fn note(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn record(self, source: &Source, cause: &str) -> Record {
        let subject = format!("cause:{cause}");
        let mut record = source.record("diagnosis", &subject, self.status, &self.message);
        record.remedy = self.remedy;
        record.data = self.data;
        record
    }

    /// `status message > remedy`, for tests.
    #[cfg(test)]
    pub(crate) fn line(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{} {} > {remedy}", self.status, self.message),
            None => format!("{} {}", self.status, self.message),
        }
    }
}
