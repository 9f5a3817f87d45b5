//! Documents of JSON, changed where a reader may not expect it.

use serde_json::{Map, Value, json};

use super::dice::Dice;

/// What no document can hold is put in as text.
const RAW: [&str; 22] = [
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "-0",
    "-0.0",
    "01",
    "1.",
    "1e-999",
    "123456789012345678901234567890",
    "18446744073709551616",
    "-9223372036854775809",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"\\x\"",
    "\"\\u12",
    "tru",
    "'a'",
    "\"\u{1}\"",
    "{\"a\":1,\"a\":2}",
    "/**/1",
];
const MARK: &str = "@raw@";

fn odd(dice: &mut Dice) -> Value {
    match dice.below(24) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(0),
        4 => json!(-1),
        5 => json!(1.5),
        6 => json!(1),
        7 => json!(u32::MAX),
        8 => json!(u64::from(u32::MAX) + 1),
        9 => json!(i64::MAX),
        10 => json!(u64::MAX),
        11 => json!(i64::MIN),
        12 => json!(1e308),
        13 => json!(""),
        14 => json!("x"),
        15 => json!("\u{0}\u{feff}\u{200b}\u{10ffff}"),
        16 => json!("é🙂".repeat(1 << dice.below(12))),
        17 => json!([]),
        18 => json!({}),
        19 => json!(vec!["a"; dice.below(200)]),
        20 => {
            let mut deep = json!(1);
            for _ in 0..1 + dice.below(200) {
                deep = if dice.once_in(2) { json!([deep]) } else { json!({"a": deep}) };
            }
            deep
        }
        _ => json!(format!("{MARK}{}", dice.below(RAW.len()))),
    }
}

/// Changes one place. `pool` are values that belong into such documents.
pub fn mutate(whole: &mut Value, pool: &[Value], dice: &mut Dice) {
    let other = if dice.once_in(3) { Some(some(whole, dice).clone()) } else { None };
    let place = some_mut(whole, dice);
    let fresh = match other {
        Some(other) => other,
        None if !pool.is_empty() && dice.once_in(2) => dice.one(pool).clone(),
        None => odd(dice),
    };
    match place {
        Value::Object(map) if !dice.once_in(4) => object(map, fresh, dice),
        Value::Array(list) if !dice.once_in(4) => array(list, fresh, dice),
        Value::Number(number) if dice.once_in(2) => {
            let known = number.as_f64().unwrap_or(0.0);
            let factor = *dice.one(&[-1.0, 2.0, 1000.0, 1e6, 1e12, 0.001]);
            *place = if dice.once_in(2) {
                json!((known * factor) as i64)
            } else {
                json!((known as i64).saturating_add(dice.below(5) as i64 - 2))
            };
        }
        Value::String(text) if dice.once_in(2) => string(text, dice),
        _ if dice.once_in(8) => *place = json!([place.take()]),
        _ => *place = fresh,
    }
}

fn object(map: &mut Map<String, Value>, fresh: Value, dice: &mut Dice) {
    let keys: Vec<String> = map.keys().cloned().collect();
    if keys.is_empty() {
        map.insert("a".to_owned(), fresh);
        return;
    }
    let (one, two) = (dice.one(&keys).clone(), dice.one(&keys).clone());
    match dice.below(5) {
        0 => drop(map.remove(&one)),
        1 => drop(map.insert(one, fresh)),
        2 => {
            let taken = map.remove(&one).unwrap_or_default();
            map.insert(format!("{one}{}", dice.one(&["", "x", "\u{0}", " "])), taken);
        }
        3 => {
            let (a, b) = (map[&one].clone(), map[&two].clone());
            map.insert(one, b);
            map.insert(two, a);
        }
        _ => map.clear(),
    }
}

fn array(list: &mut Vec<Value>, fresh: Value, dice: &mut Dice) {
    let at = dice.below(list.len());
    match dice.below(7) {
        0 => list.clear(),
        1 => list.truncate(at),
        2 => list.reverse(),
        3 if !list.is_empty() => drop(list.remove(at)),
        4 if !list.is_empty() => {
            let one = list[at].clone();
            list.extend(std::iter::repeat_n(one, dice.below(40)));
        }
        5 if !list.is_empty() => list[at] = fresh,
        _ => list.push(fresh),
    }
}

fn string(text: &mut String, dice: &mut Dice) {
    let at = text.floor_char_boundary(dice.below(text.len() + 1));
    match dice.below(5) {
        0 => text.truncate(at),
        1 => text.insert(at, *dice.one(&['\u{0}', '"', 'é', '\u{301}', '🙂', ' ', '\n', 'a', '#'])),
        2 => *text = text.repeat(1 + dice.below(50)),
        3 => text.clear(),
        _ => *text = text.to_uppercase(),
    }
}

/// Some value of a document, each branch as likely as the next.
fn some<'a>(whole: &'a Value, dice: &mut Dice) -> &'a Value {
    let mut place = whole;
    loop {
        place = match place {
            Value::Object(map) if !map.is_empty() && !dice.once_in(5) => {
                map.values().nth(dice.below(map.len())).expect("it is in it")
            }
            Value::Array(list) if !list.is_empty() && !dice.once_in(5) => dice.one(list),
            _ => return place,
        }
    }
}

fn some_mut<'a>(whole: &'a mut Value, dice: &mut Dice) -> &'a mut Value {
    let into = match &*whole {
        Value::Object(map) => map.len(),
        Value::Array(list) => list.len(),
        _ => 0,
    };
    if into == 0 || dice.once_in(5) {
        return whole;
    }
    let at = dice.below(into);
    match whole {
        Value::Object(map) => some_mut(map.values_mut().nth(at).expect("it is in it"), dice),
        Value::Array(list) => some_mut(&mut list[at], dice),
        other => other,
    }
}

/// Its text, with what no document can hold: raw parts, keys that are there twice, damaged bytes, a byte order mark.
pub fn text(value: &Value, dice: &mut Dice) -> Vec<u8> {
    let mut text = value.to_string();
    if text.contains(MARK) {
        for (at, raw) in RAW.iter().enumerate().rev() {
            text = text.replace(&format!("\"{MARK}{at}\""), raw);
        }
    }
    if dice.once_in(12)
        && let Some(at) = text.find('{')
        && let Some(end) = text.find([',', '}'])
        && end > at
    {
        let twice = format!("{},", &text[at + 1..end]);
        text.insert_str(at + 1, &twice);
    }
    let mut bytes = text.into_bytes();
    match dice.below(10) {
        0 | 1 => dice.damage(&mut bytes),
        2 => drop(bytes.splice(0..0, *b"\xef\xbb\xbf")),
        _ => {}
    }
    bytes
}
