//! The performance data of a monitoring plug-in, as the Monitoring Plugins Development Guidelines
//! write it: `'label'=value[UOM];[warn];[crit];[min];[max]`.

use serde_json::{Map, Value, json};

/// More than any plug-in gives.
const MOST: usize = 1000;

/// What a plug-in wrote: its first line that is not empty, up to the `|`, and all its performance data.
pub(crate) fn split(output: &str) -> (&str, Vec<Value>) {
    let (first, rest) = output.trim_start().split_once('\n').unwrap_or((output, ""));
    let (message, data) = first.split_once('|').unwrap_or((first, ""));
    // Of the longer text below, all behind the first bar is data again, over many lines.
    let more = rest.split_once('|').map_or("", |(_, more)| more);
    let mut values = parse(data);
    values.extend(parse(more));
    values.truncate(MOST);
    (message.trim(), values)
}

/// Each well-formed item as an object; the others are passed over.
fn parse(text: &str) -> Vec<Value> {
    let mut values = Vec::new();
    let mut rest = text.trim_start_matches(is_between);
    while !rest.is_empty() && values.len() < MOST {
        let Some((label, after)) = label(rest) else {
            // Not an item: go on behind the next gap.
            rest = rest.split_once(is_between).map_or("", |(_, after)| after);
            rest = rest.trim_start_matches(is_between);
            continue;
        };
        let (item, after) = after.split_once(is_between).unwrap_or((after, ""));
        values.extend(value(&label, item));
        rest = after.trim_start_matches(is_between);
    }
    values
}

/// What stands between items. A second bar belongs to none.
fn is_between(c: char) -> bool {
    c.is_whitespace() || c == '|'
}

/// The label, and what follows its equals sign. In quotes it may hold spaces, and a quote twice
/// stands for one.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let (label, after) = text.split_once('=')?;
        let is_plain = !label.is_empty() && !label.contains(|c| is_between(c) || c == '\'');
        return is_plain.then(|| (label.to_owned(), after));
    };
    let mut label = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('\'')?;
        label.push_str(part);
        if let Some(after) = after.strip_prefix('\'') {
            label.push('\'');
            rest = after;
        } else {
            return Some((label, after.strip_prefix('=')?));
        }
    }
}

/// `value[UOM];[warn];[crit];[min];[max]`. The limits are ranges such as `@10:20` or `~:5` and stay
/// as they are written.
fn value(label: &str, item: &str) -> Option<Value> {
    let mut fields = item.split(';');
    let first = fields.next()?;
    let unit = first.find(|c: char| !(c.is_ascii_digit() || "+-.,eE".contains(c)));
    let (number, unit) = first.split_at(unit.unwrap_or(first.len()));
    // `U` is a value that could not be had.
    let number = match (number, unit) {
        ("", "U") => None,
        // Anything else than letters and signs behind it makes the item no such item.
        _ if unit.contains(|c: char| c.is_ascii_digit() || ",.=<>'\"".contains(c)) => return None,
        _ => Some(decimal(number)?),
    };
    let unit = if number.is_some() { unit } else { "" };
    let mut object =
        Map::from_iter([("label".to_owned(), json!(label)), ("value".to_owned(), json!(number))]);
    if !unit.is_empty() {
        object.insert("unit".to_owned(), json!(unit));
    }
    for key in ["warn", "fail", "min", "max"] {
        let field = fields.next().unwrap_or_default();
        let number = if matches!(key, "min" | "max") { decimal(field) } else { None };
        if !field.is_empty() {
            object.insert(key.to_owned(), number.map_or_else(|| json!(field), |n| json!(n)));
        }
    }
    Some(Value::Object(object))
}

/// A number; some plug-ins write a comma for the point, after the locale.
fn decimal(text: &str) -> Option<f64> {
    text.replace(',', ".").parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_ends_at_the_bar() {
        for (output, message, count) in [
            ("OK - fine | a=1 b=2\n", "OK - fine", 2),
            ("OK - fine\nmore\nand more | c=3\nd=4 e=5\n", "OK - fine", 3),
            ("OK | a=1\nlong | b=2\nc=3", "OK", 3),
            ("", "", 0),
            ("|", "", 0),
            ("\n\n", "", 0),
            ("\n \nOK | a=1\nmore | b=2\n", "OK", 2),
        ] {
            let (told, values) = split(output);
            assert_eq!((told, values.len()), (message, count), "{output:?}");
        }
    }

    #[test]
    fn each_item_is_read() {
        for (text, expected) in [
            (
                "load1=0.320;5.000;10.000;0;",
                json!([{"label":"load1","value":0.32,"warn":"5.000","fail":"10.000","min":0.0}]),
            ),
            (
                "'/ it''s'=3MB;@10:20;~:5;0;100",
                json!([{"label":"/ it's","value":3.0,"unit":"MB","warn":"@10:20","fail":"~:5","min":0.0,"max":100.0}]),
            ),
            ("a=U", json!([{"label":"a","value":null}])),
            ("time=1,5s", json!([{"label":"time","value":1.5,"unit":"s"}])),
            ("n=-1.5e3c", json!([{"label":"n","value":-1500.0,"unit":"c"}])),
            ("x a=1", json!([{"label":"a","value":1.0}])),
            ("a=x b=1", json!([{"label":"b","value":1.0}])),
            ("'a=1", json!([])),
            ("'a'1 b=2", json!([{"label":"b","value":2.0}])),
            ("=1 =", json!([])),
            ("a=1e999", json!([])),
            (
                "a=1|b=2 c=3",
                json!([{"label":"a","value":1.0},{"label":"b","value":2.0},{"label":"c","value":3.0}]),
            ),
            ("OK|d=4", json!([{"label":"d","value":4.0}])),
            ("a=0x10", json!([])),
            ("é=1€;;;", json!([{"label":"é","value":1.0,"unit":"€"}])),
        ] {
            assert_eq!(Value::from(parse(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_flood_of_data_is_cut() {
        assert_eq!(split(&format!("ok|{}", "a=1 ".repeat(5000))).1.len(), MOST);
    }
}
