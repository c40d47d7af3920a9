//! The settings of the checks: each a flag, a variable and a default, in the check's own row.

use std::collections::HashMap;

use clap::{Arg, ArgMatches};

/// One setting of a check. Its name is its flag: `disk-warn` is `--disk-warn` and `CLAW_DISK_WARN`.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The name, which begins with the check's, or with its last word.
    pub(crate) name: &'static str,
    /// What stands behind the flag: the unit of a number, or what the text is.
    pub(crate) unit: &'static str,
    /// Its value where nobody says otherwise.
    pub(crate) default: Default,
    /// One line about it.
    pub(crate) about: &'static str,
}

/// The default of a setting, and with it what kind of value it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Default {
    /// A number that is not negative.
    Number(f64),
    /// Any text; empty where nothing is asked for.
    Text(&'static str),
}

impl Setting {
    /// A limit: a number with its unit.
    pub(crate) const fn limit(
        name: &'static str,
        unit: &'static str,
        default: f64,
        about: &'static str,
    ) -> Self {
        Self { name, unit, default: Default::Number(default), about }
    }

    /// A text.
    pub(crate) const fn text(
        name: &'static str,
        unit: &'static str,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self { name, unit, default: Default::Text(default), about }
    }

    /// The flag of the setting.
    pub(crate) fn to_arg(&self) -> Arg {
        let arg = Arg::new(self.name)
            .long(self.name)
            .env(format!("CLAW_{}", self.name.to_uppercase().replace('-', "_")))
            .hide_env_values(true)
            .value_name(self.unit.to_uppercase())
            .help(self.help());
        match self.default {
            Default::Number(_) => arg.value_parser(not_negative),
            Default::Text(_) => arg,
        }
    }

    /// The default is told here and applied in [`Settings`]: clap would carry each along as a value.
    fn help(&self) -> String {
        match self.default {
            Default::Number(number) => format!("{} [default: {number}]", self.about),
            Default::Text("") => self.about.to_owned(),
            Default::Text(text) => format!("{} [default: {text}]", self.about),
        }
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if f64::is_finite(number) && number >= 0.0 => Ok(number),
        Ok(_) => Err("it must be 0 or more".to_owned()),
        Err(_) => Err("not a number".to_owned()),
    }
}

/// The values in force.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    numbers: HashMap<&'static str, f64>,
    texts: HashMap<&'static str, String>,
}

impl Settings {
    /// Takes the values of these settings out of the command line.
    pub(crate) fn from_matches(
        matches: &ArgMatches,
        all: impl Iterator<Item = &'static Setting>,
    ) -> Self {
        let mut settings = Self::default();
        for setting in all {
            match setting.default {
                Default::Number(default) => {
                    let value = matches.get_one(setting.name).copied().unwrap_or(default);
                    settings.numbers.insert(setting.name, value);
                }
                Default::Text(default) => {
                    let value = matches.get_one::<String>(setting.name).cloned();
                    settings
                        .texts
                        .insert(setting.name, value.unwrap_or_else(|| default.to_owned()));
                }
            }
        }
        settings
    }

    /// The value of a number. Asking for a setting that no row has is a mistake in the program;
    /// the test of the table finds it.
    pub(crate) fn number(&self, name: &str) -> f64 {
        debug_assert!(self.numbers.contains_key(name), "no setting {name}");
        self.numbers.get(name).copied().unwrap_or_default()
    }

    /// The value of a text.
    pub(crate) fn text(&self, name: &str) -> &str {
        debug_assert!(self.texts.contains_key(name), "no setting {name}");
        self.texts.get(name).map_or("", String::as_str)
    }
}
