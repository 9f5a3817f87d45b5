//! Graphs in the form of Protocol Buffers, changed as messages: what comes out can be parsed, so that what reads it gets far.

use super::dice::Dice;

#[derive(Clone, Debug)]
enum Value {
    Number(u64),
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
    Message(Message),
}

/// Fields in their order.
type Message = Vec<(u64, Value)>;

/// What a message is, by `onnx.proto3`.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Dimension,
    Entry,
    Opset,
    /// `EmbedRequest`, and the message of a stream that holds one.
    Request,
    Piece,
}

/// What the field of a message holds, when that is a message.
fn inner(kind: Kind, field: u64) -> Option<Kind> {
    use Kind::*;
    Some(match (kind, field) {
        (Model, 7) => Graph,
        (Model, 8) => Opset,
        (Graph, 1) => Node,
        (Graph, 5) => Tensor,
        (Graph, 11..=13) => ValueInfo,
        (Node, 5) => Attribute,
        (Attribute, 5 | 10) => Tensor,
        (Attribute, 6 | 11) => Graph,
        (Tensor, 13) => Entry,
        (ValueInfo, 2) => Type,
        (Type, 1) => TensorType,
        (TensorType, 2) => Shape,
        (Shape, 1) => Dimension,
        (Piece, 2) => Request,
        _ => return None,
    })
}

fn number(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn parse(bytes: &[u8], kind: Kind) -> Option<Message> {
    let (mut fields, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let tag = number(bytes, &mut at)?;
        let take = |at: &mut usize, count: usize| {
            let part = bytes.get(*at..at.checked_add(count)?)?;
            *at += count;
            Some(part.to_vec())
        };
        let value = match tag & 7 {
            0 => Value::Number(number(bytes, &mut at)?),
            1 => Value::Fixed(take(&mut at, 8)?),
            5 => Value::Fixed(take(&mut at, 4)?),
            2 => {
                let length = number(bytes, &mut at)? as usize;
                let part = take(&mut at, length)?;
                let message = inner(kind, tag >> 3).and_then(|kind| parse(&part, kind));
                message.map_or(Value::Bytes(part), Value::Message)
            }
            _ => return None,
        };
        fields.push((tag >> 3, value));
    }
    Some(fields)
}

fn put(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn write(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    for (field, value) in message {
        let kind = match value {
            Value::Number(_) => 0,
            Value::Fixed(bytes) if bytes.len() == 8 => 1,
            Value::Fixed(_) => 5,
            _ => 2,
        };
        put(field << 3 | kind, &mut out);
        match value {
            Value::Number(value) => put(*value, &mut out),
            Value::Fixed(bytes) => out.extend_from_slice(bytes),
            Value::Bytes(bytes) => {
                put(bytes.len() as u64, &mut out);
                out.extend_from_slice(bytes);
            }
            Value::Message(message) => {
                let bytes = write(message);
                put(bytes.len() as u64, &mut out);
                out.extend_from_slice(&bytes);
            }
        }
    }
    out
}

/// A message somewhere in it, itself among them.
fn some<'a>(message: &'a mut Message, dice: &mut Dice) -> &'a mut Message {
    let inner: Vec<usize> = (0..message.len()).filter(|at| matches!(message[*at].1, Value::Message(_))).collect();
    if inner.is_empty() || dice.once_in(8) {
        return message;
    }
    // A model is little but its graph, and a graph mostly nodes and weights.
    let at = *dice.one(&inner);
    match &mut message[at].1 {
        Value::Message(message) => some(message, dice),
        _ => unreachable!("it was chosen among messages"),
    }
}

/// The texts of a graph: names and operators, to be put where others stood.
fn texts(message: &Message, into: &mut Vec<Vec<u8>>) {
    for (_, value) in message {
        match value {
            Value::Message(message) => texts(message, into),
            Value::Bytes(bytes) if !bytes.is_empty() && bytes.len() < 60 => into.push(bytes.clone()),
            _ => {}
        }
    }
}

const OPERATORS: [&str; 28] = [
    "Reshape",
    "Gather",
    "ConstantOfShape",
    "Expand",
    "Tile",
    "Range",
    "Loop",
    "If",
    "Scan",
    "Slice",
    "Concat",
    "Split",
    "Transpose",
    "Cast",
    "Resize",
    "Pad",
    "OneHot",
    "TopK",
    "NonZero",
    "ScatterND",
    "GatherND",
    "Einsum",
    "Where",
    "Squeeze",
    "Shape",
    "MatMul",
    "Gemm",
    "LSTM",
];

fn change(message: &mut Message, texts: &[Vec<u8>], dice: &mut Dice) {
    if message.is_empty() {
        message.push((1 + dice.below(20) as u64, Value::Number(dice.roll())));
        return;
    }
    let (at, to) = (dice.below(message.len()), dice.below(message.len()));
    match dice.below(10) {
        0 => drop(message.remove(at)),
        1 => {
            let twice = message[at].clone();
            message.insert(to, twice);
        }
        2 => message.swap(at, to),
        3 => message[at].0 = 1 + dice.below(30) as u64,
        _ => value(&mut message[at].1, texts, dice),
    }
}

fn value(value: &mut Value, texts: &[Vec<u8>], dice: &mut Dice) {
    match value {
        Value::Number(number) => {
            let odd = [
                0,
                1,
                2,
                3,
                7,
                10,
                11,
                16,
                127,
                1 << 20,
                1 << 31,
                1 << 32,
                1 << 40,
                i64::MAX as u64,
                1 << 63,
                u64::MAX,
            ];
            *number = match dice.below(4) {
                0 => number.wrapping_add(1),
                1 => number.wrapping_sub(1),
                _ => *dice.one(&odd),
            };
        }
        Value::Fixed(bytes) => {
            let odd = [0_u64, u64::MAX, 0x7f80_0000_7f80_0000, 0x7fc0_0000_7fc0_0000, dice.roll()];
            let length = bytes.len();
            *bytes = dice.one(&odd).to_le_bytes()[..length].to_vec();
        }
        Value::Bytes(bytes) => match dice.below(5) {
            0 if !texts.is_empty() => bytes.clone_from(dice.one(texts)),
            1 => *bytes = dice.one(&OPERATORS).as_bytes().to_vec(),
            2 if bytes.len() % 8 == 0 => {
                // The numbers of a shape in 64 bits.
                let length = bytes.len();
                let odd = [0_i64, -1, 1, 2, -2, 1 << 31, 1 << 40, i64::MAX, i64::MIN, 1000];
                if length > 0 {
                    let at = dice.below(length / 8) * 8;
                    bytes[at..at + 8].copy_from_slice(&dice.one(&odd).to_le_bytes());
                }
            }
            3 => bytes.clear(),
            _ => dice.damage(bytes),
        },
        Value::Message(message) => message.clear(),
    }
}

/// Another graph.
pub fn mutate(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    another(bytes, Kind::Model, dice)
}

/// Another message of a gRPC call, of a stream or not.
pub fn call(bytes: &[u8], stream: bool, dice: &mut Dice) -> Vec<u8> {
    another(bytes, if stream { Kind::Piece } else { Kind::Request }, dice)
}

fn another(bytes: &[u8], kind: Kind, dice: &mut Dice) -> Vec<u8> {
    let mut plain = bytes.to_vec();
    if dice.once_in(4) {
        dice.damage(&mut plain);
        return plain;
    }
    let Some(mut message) = parse(bytes, kind) else {
        dice.damage(&mut plain);
        return plain;
    };
    let mut words = Vec::new();
    texts(&message, &mut words);
    for _ in 0..=dice.below(3) {
        change(some(&mut message, dice), &words, dice);
    }
    write(&message)
}
