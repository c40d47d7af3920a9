//! The list of the checks, for people and as records.

use claw_record::{Record, Source, Status};

use crate::checks::{self, Find};
use crate::finding::span;
use crate::settings::{Default, Setting};

/// One check a paragraph: its target, what it is about, and its settings.
pub(super) fn text() -> String {
    let mut text = String::new();
    for check in checks::ALL {
        let target = spelling(check);
        text.push_str(&format!("{target:<28}{}\n", check.about));
        if check.every_seconds > 0 {
            let every = span(check.every_seconds as f64);
            text.push_str(&format!(
                "  {:<36}watched every {every}, not more often\n",
                "--interval"
            ));
        }
        for setting in check.settings {
            let flag = format!("--{} {}", setting.name, setting.unit.to_uppercase());
            text.push_str(&format!("  {flag:<36}{}{}\n", setting.about, default(setting)));
        }
    }
    text
}

/// One check a record.
pub(super) fn records(source: &Source) -> impl Iterator<Item = Record> {
    checks::ALL.iter().map(|check| {
        let subject = format!("check:{}", check.name);
        let mut record = source.record("list", &subject, Status::Pass, check.about);
        record.data.insert("target".into(), spelling(check).into());
        let settings = check.settings.iter().map(|setting| match setting.default {
            Default::Number(number) => (setting.name.to_owned(), number.into()),
            Default::Text(text) => (setting.name.to_owned(), text.into()),
        });
        record.data.insert("is_sure".into(), check.is_sure.into());
        if check.every_seconds > 0 {
            record.data.insert("every_seconds".into(), check.every_seconds.into());
        }
        record.data.insert("settings".into(), serde_json::Value::Object(settings.collect()));
        record
    })
}

fn spelling(check: &checks::Check) -> String {
    match (check.operand, check.find) {
        ("", _) => check.name.to_owned(),
        (operand, Find::Asked) => format!("{}:{operand}", check.name),
        (operand, _) => format!("{}[:{operand}]", check.name),
    }
}

fn default(setting: &Setting) -> String {
    match setting.default {
        Default::Number(number) => format!(" [{number}]"),
        Default::Text("") => String::new(),
        Default::Text(text) => format!(" [{text}]"),
    }
}
