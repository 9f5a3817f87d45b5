//! The parameters of a graph: the numbers of its initializers, counted from their sizes alone. Weights are skipped, not read,
//! whether they are in the file or beside it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::path::Path;

/// `ModelProto.graph`.
const GRAPH: u64 = 7;
/// `GraphProto.initializer`.
const INITIALIZER: u64 = 5;
/// `TensorProto.dims`.
const DIMS: u64 = 1;
/// `TensorProto.data_type`.
const DATA_TYPE: u64 = 2;
/// Types of tensors that are shapes, places and conditions, and never weights: `INT64`, `STRING`, `BOOL`.
const NO_WEIGHTS: [u64; 3] = [7, 8, 9];

/// A message's field: its number, and its number or the end of its bytes.
enum Field {
    Number(u64, u64),
    Bytes(u64, u64),
}

/// Protobuf, read from a place to another.
struct Wire<R> {
    from: R,
    at: u64,
    /// Where the file ends.
    size: u64,
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a graph of ONNX: {what}"))
}

impl<R: BufRead + Seek> Wire<R> {
    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.from.read_exact(&mut byte)?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(bad("a number of more than 64 bits"))
    }

    fn skip_to(&mut self, end: u64) -> io::Result<()> {
        let distance = end.checked_sub(self.at).filter(|_| end <= self.size).ok_or_else(|| bad("a field behind its end"))?;
        self.from.seek_relative(i64::try_from(distance).map_err(|_| bad("a field that is too long"))?)?;
        self.at = end;
        Ok(())
    }

    /// The next field before `end`. The bytes of one have to be read or skipped by the caller.
    fn field(&mut self, end: u64) -> io::Result<Option<Field>> {
        if self.at >= end {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = key >> 3;
        match key & 7 {
            0 => Ok(Some(Field::Number(number, self.varint()?))),
            1 => {
                self.skip_to(self.at + 8)?;
                Ok(Some(Field::Number(number, 0)))
            }
            2 => {
                let length = self.varint()?;
                let behind = self.at.checked_add(length).filter(|behind| *behind <= end);
                Ok(Some(Field::Bytes(number, behind.ok_or_else(|| bad("a field behind its end"))?)))
            }
            5 => {
                self.skip_to(self.at + 4)?;
                Ok(Some(Field::Number(number, 0)))
            }
            _ => Err(bad("a field of no known kind")),
        }
    }

    /// The numbers of the initializers of a graph that ends there.
    fn graph(&mut self, end: u64) -> io::Result<u64> {
        let mut sum: u64 = 0;
        while let Some(field) = self.field(end)? {
            match field {
                Field::Bytes(INITIALIZER, behind) => sum = sum.saturating_add(self.tensor(behind)?),
                Field::Bytes(_, behind) => self.skip_to(behind)?,
                Field::Number(..) => {}
            }
        }
        Ok(sum)
    }

    fn tensor(&mut self, end: u64) -> io::Result<u64> {
        let (mut numbers, mut weights) = (1_u64, true);
        while let Some(field) = self.field(end)? {
            match field {
                Field::Number(DIMS, dim) => numbers = numbers.saturating_mul(dim),
                Field::Bytes(DIMS, behind) => {
                    while self.at < behind {
                        numbers = numbers.saturating_mul(self.varint()?);
                    }
                }
                Field::Number(DATA_TYPE, kind) => weights = !NO_WEIGHTS.contains(&kind),
                Field::Bytes(_, behind) => self.skip_to(behind)?,
                Field::Number(..) => {}
            }
        }
        Ok(if weights { numbers } else { 0 })
    }
}

/// The parameters of a graph's file. Blocks.
///
/// # Errors
/// It cannot be read, or holds no graph.
pub fn count(file: &Path) -> io::Result<u64> {
    let file = File::open(file)?;
    let size = file.metadata()?.len();
    sum(BufReader::new(file), size)
}

fn sum(from: impl BufRead + Seek, size: u64) -> io::Result<u64> {
    let mut wire = Wire { from, at: 0, size };
    let mut graph = None;
    while let Some(field) = wire.field(size)? {
        match field {
            Field::Bytes(GRAPH, behind) => graph = Some(wire.graph(behind)?),
            Field::Bytes(_, behind) => wire.skip_to(behind)?,
            Field::Number(..) => {}
        }
    }
    graph.ok_or_else(|| bad("there is none in it"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Model {
        #[prost(int64, tag = "1")]
        ir_version: i64,
        #[prost(message, optional, tag = "7")]
        graph: Option<Graph>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Graph {
        #[prost(string, tag = "2")]
        name: String,
        #[prost(message, repeated, tag = "5")]
        initializer: Vec<Tensor>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Tensor {
        #[prost(int64, repeated, tag = "1")]
        dims: Vec<i64>,
        #[prost(int32, tag = "2")]
        data_type: i32,
        #[prost(bytes = "vec", tag = "9")]
        raw_data: Vec<u8>,
    }

    fn tensor(dims: &[i64], data_type: i32, bytes: usize) -> Tensor {
        Tensor { dims: dims.to_vec(), data_type, raw_data: vec![7; bytes] }
    }

    fn counted(bytes: &[u8]) -> io::Result<u64> {
        sum(Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn weights_are_counted_by_their_sizes() {
        // The third has its weights beside the file; the last two are a shape and a single number.
        let initializer =
            vec![tensor(&[3, 400], 1, 4800), tensor(&[5], 3, 5), tensor(&[1 << 20, 4], 1, 0), tensor(&[9], 7, 72), tensor(&[], 1, 4)];
        let graph = Graph { name: "g".into(), initializer };
        let bytes = Model { ir_version: 9, graph: Some(graph) }.encode_to_vec();
        assert_eq!(counted(&bytes).unwrap(), 1200 + 5 + (4 << 20) + 1);
        for cut in 3..bytes.len() - 1 {
            assert!(counted(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_is_no_graph_is_said() {
        for bytes in [&b""[..], b"hello world", &[0x08, 9], &[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f], &[0xff; 40]] {
            assert!(counted(bytes).is_err(), "{bytes:?}");
        }
    }
}
