//! What an `.onnx` file says of its weights, read without loading them: a message of Protocol Buffers, part by part.
//!
//! Field numbers are those of `onnx.proto3`: `ModelProto.graph` 7, `GraphProto.initializer` 5 `input` 11 and `output` 12, `ValueInfoProto.name` 1, `TensorProto.dims` 1, `name` 8 and
//! `external_data` 13, whose entries are pairs of `key` 1 and `value` 2.

mod fault;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::files;
pub use fault::{GraphFileFault, InputFault};

/// The longest name of a file that is read.
const LONGEST_NAME: u64 = 4096;

/// What was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GraphFile {
    /// Numbers of all weights together.
    pub parameters: u64,
    /// Names of its inputs, without those that are weights.
    pub inputs: Vec<String>,
    /// Names of its outputs.
    pub outputs: Vec<String>,
    /// Whether a node measures one scale over a whole tensor while it runs (`DynamicQuantizeLinear`): then the numbers of a text
    /// depend on the texts beside it.
    pub measures_scales: bool,
    /// Whether constants of its nodes are in such files, too.
    pub constants: bool,
    /// Names of its weights, while it is read: older exporters list them among the inputs.
    weights: HashSet<String>,
    /// Files beside the graph that hold weights, each once, sorted.
    pub external: Vec<PathBuf>,
}

/// Reads what stands around the weights; the weights themselves are passed over.
///
/// # Errors
/// It cannot be read, is cut off, or names a file outside of its folder.
pub fn read(graph: &Path) -> Result<GraphFile, GraphFileFault> {
    let file = files::open(graph)?;
    let end = file.metadata()?.len();
    let mut message = Message { file: BufReader::with_capacity(1 << 16, file), at: 0 };
    let mut found = GraphFile::default();
    let beside = graph.parent().unwrap_or(Path::new("."));
    message.fields(end, &mut |message, field, length| match field {
        7 => message.fields(length, &mut |message, field, length| match field {
            1 => node(message, length, beside, &mut found),
            5 => tensor(message, length, beside, &mut found),
            11 => message.name(length).map(|name| found.inputs.extend(name)),
            12 => message.name(length).map(|name| found.outputs.extend(name)),
            _ => message.skip(length),
        }),
        _ => message.skip(length),
    })?;
    let weights = std::mem::take(&mut found.weights);
    found.inputs.retain(|input| !weights.contains(input));
    found.external.sort();
    found.external.dedup();
    Ok(found)
}

/// A node's operator and the tensors in its attributes: `NodeProto.op_type` 4 and `attribute` 5, `AttributeProto.t` 5.
fn node(message: &mut Message, length: u64, beside: &Path, found: &mut GraphFile) -> Result<(), GraphFileFault> {
    let mut constants = GraphFile::default();
    message.fields(length, &mut |message, field, length| match field {
        // `DynamicQuantizeMatMul` and `DynamicQuantizeLSTM` of com.microsoft do the same.
        4 => message.text(length).map(|operator| found.measures_scales |= operator.starts_with("DynamicQuantize")),
        5 => message.fields(length, &mut |message, field, length| match field {
            5 => tensor(message, length, beside, &mut constants),
            _ => message.skip(length),
        }),
        _ => message.skip(length),
    })?;
    found.constants |= !constants.external.is_empty();
    found.external.append(&mut constants.external);
    Ok(())
}

fn tensor(message: &mut Message, length: u64, beside: &Path, found: &mut GraphFile) -> Result<(), GraphFileFault> {
    let mut numbers: u64 = 1;
    let mut location = None;
    message.with_numbers(length, &mut |message, field, part| match (field, part) {
        (1, Part::Number(dimension)) => {
            numbers = numbers.saturating_mul(dimension);
            Ok(())
        }
        // Dimensions are packed by most writers.
        (1, Part::Length(length)) => {
            let end = message.at + length;
            while message.at < end {
                numbers = numbers.saturating_mul(message.number()?);
            }
            Ok(())
        }
        (13, Part::Length(length)) => {
            if let Some(name) = message.location(length)? {
                location = Some(name);
            }
            Ok(())
        }
        (8, Part::Length(length)) => message.text(length).map(|name| found.weights.extend([name])),
        (_, Part::Length(length)) => message.skip(length),
        (_, Part::Number(_)) => Ok(()),
    })?;
    found.parameters = found.parameters.saturating_add(numbers);
    if let Some(name) = location {
        let Some(file) = files::within(beside, &name) else { return Err(GraphFileFault::Outside { location: name }) };
        found.external.push(file);
    }
    Ok(())
}

/// A field's value: a number, or so many bytes that follow.
enum Part {
    Number(u64),
    Length(u64),
}

struct Message {
    file: BufReader<File>,
    at: u64,
}

type OnField<'a> = &'a mut dyn FnMut(&mut Message, u64, u64) -> Result<(), GraphFileFault>;
type OnPart<'a> = &'a mut dyn FnMut(&mut Message, u64, Part) -> Result<(), GraphFileFault>;

impl Message {
    /// Each field of the next `length` bytes that has a length of its own.
    fn fields(&mut self, length: u64, each: OnField<'_>) -> Result<(), GraphFileFault> {
        self.with_numbers(length, &mut |message, field, part| match part {
            Part::Length(length) => each(message, field, length),
            Part::Number(_) => Ok(()),
        })
    }

    /// Each field of the next `length` bytes.
    fn with_numbers(&mut self, length: u64, each: OnPart<'_>) -> Result<(), GraphFileFault> {
        let end = self.at.checked_add(length).ok_or(GraphFileFault::TooLong { bytes: length })?;
        while self.at < end {
            let tag = self.number()?;
            let part = match tag & 7 {
                0 => Part::Number(self.number()?),
                1 => Part::Length(8),
                2 => Part::Length(self.number()?),
                5 => Part::Length(4),
                _ => return Err(GraphFileFault::Foreign),
            };
            if let Part::Length(length) = part
                && length > end.saturating_sub(self.at)
            {
                return Err(GraphFileFault::CutOff);
            }
            let begin = self.at;
            let length = if let Part::Length(length) = part { length } else { 0 };
            each(self, tag >> 3, part)?;
            if self.at != begin + length {
                return Err(GraphFileFault::CutOff);
            }
        }
        Ok(())
    }

    /// The file's name of an entry whose key is `location`.
    fn location(&mut self, length: u64) -> Result<Option<String>, GraphFileFault> {
        let (mut key, mut value) = (String::new(), String::new());
        self.fields(length, &mut |message, field, length| match field {
            1 => message.text(length).map(|text| key = text),
            2 => message.text(length).map(|text| value = text),
            _ => message.skip(length),
        })?;
        Ok((key == "location").then_some(value))
    }

    /// The name of a value.
    fn name(&mut self, length: u64) -> Result<Option<String>, GraphFileFault> {
        let mut name = None;
        self.fields(length, &mut |message, field, length| match field {
            1 => message.text(length).map(|text| name = Some(text)),
            _ => message.skip(length),
        })?;
        Ok(name)
    }

    fn text(&mut self, length: u64) -> Result<String, GraphFileFault> {
        if length > LONGEST_NAME {
            return Err(GraphFileFault::LongName { bytes: length, most: LONGEST_NAME });
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes).map_err(broken_off)?;
        self.at += length;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A number of up to 64 bits, seven in each byte.
    fn number(&mut self) -> Result<u64, GraphFileFault> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.file.read_exact(&mut byte).map_err(broken_off)?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(GraphFileFault::Foreign)
    }

    fn skip(&mut self, length: u64) -> Result<(), GraphFileFault> {
        let step = i64::try_from(length).map_err(|_| GraphFileFault::TooLong { bytes: length })?;
        self.file.seek_relative(step)?;
        self.at += length;
        Ok(())
    }
}

/// The end of the file within a part says something of the graph, every other error of the system.
fn broken_off(why: std::io::Error) -> GraphFileFault {
    if why.kind() == std::io::ErrorKind::UnexpectedEof { GraphFileFault::CutOff } else { GraphFileFault::Unread(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn graph(location: &str) -> Vec<u8> {
        let entry = |key: &str, value: &str| [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
        let packed = field(1, &[3, 4]);
        let plain = [8, 5, 8, 2];
        let external =
            [plain.to_vec(), field(13, &entry("offset", "0")), field(13, &entry("location", location))].concat();
        let initializers = [
            field(5, &packed),
            field(5, &external),
            field(2, b"name"),
            field(12, &field(1, b"y")),
            field(11, &field(1, b"x")),
        ]
        .concat();
        [vec![8, 10], field(7, &initializers), field(2, b"made by hand")].concat()
    }

    fn read_bytes(bytes: &[u8]) -> Result<GraphFile, GraphFileFault> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.onnx");
        std::fs::write(&file, bytes).unwrap();
        let mut found = read(&file)?;
        for path in &mut found.external {
            *path = path.strip_prefix(folder.path()).unwrap().to_owned();
        }
        Ok(found)
    }

    #[test]
    fn weights_are_counted_and_their_files_named() {
        let found = read_bytes(&graph("model.onnx_data")).unwrap();
        assert_eq!(
            found,
            GraphFile {
                parameters: 22,
                inputs: vec!["x".to_owned()],
                outputs: vec!["y".to_owned()],
                external: vec!["model.onnx_data".into()],
                ..GraphFile::default()
            }
        );
        let outside = read_bytes(&graph("../weights")).unwrap_err();
        assert!(matches!(&outside, GraphFileFault::Outside { location } if location == "../weights"), "{outside}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_from_one_that_is_damaged() {
        let whole = graph("data");
        let cut = read_bytes(&whole[..whole.len() - 1]).unwrap_err();
        assert!(matches!(cut, GraphFileFault::CutOff), "{cut}");
        let gone = read(Path::new("/nonexistent/model.onnx")).unwrap_err();
        assert!(matches!(&gone, GraphFileFault::Unread(why) if why.kind() == std::io::ErrorKind::NotFound), "{gone}");
        assert!(std::error::Error::source(&gone).is_some(), "what the system said is kept");
    }

    #[test]
    fn no_bytes_end_it_or_keep_it() {
        let whole = graph("data");
        for end in 0..whole.len() {
            let _ = read_bytes(&whole[..end]);
            for bit in 0..8 {
                let mut other = whole.clone();
                other[end] ^= 1 << bit;
                let _ = read_bytes(&other);
            }
        }
        assert!(read_bytes(&[0xff; 40]).is_err());
        assert!(read_bytes(b"not a graph at all").is_err());
    }

    #[test]
    fn a_real_graph_is_read() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding/tiny/model.onnx");
        let found = read(&file).unwrap();
        assert!(found.parameters > 1000 && found.external.is_empty() && !found.measures_scales, "{found:?}");
        let quantized = file.with_file_name("../arch-qint8/onnx/model_qint8_avx512_vnni.onnx");
        assert!(read(&quantized).unwrap().measures_scales);
    }
}
