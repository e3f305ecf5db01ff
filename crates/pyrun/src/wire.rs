//! Frames between a runner and its worker: a little-endian u32 length and that many bytes.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::{Failure, HostModule, Limits, Value};

/// First byte of an answer that carries a [`Value`].
pub(crate) const VALUE: u8 = 0;
/// First byte of an answer that carries a [`Failure`] as JSON.
pub(crate) const FAILURE: u8 = 1;

/// The first frame a worker gets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) host: HostModule,
    pub(crate) limits: Limits,
    /// Whether the cage must be whole.
    pub(crate) cage: bool,
}

pub(crate) fn write_frame(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length =
        u32::try_from(bytes.len()).map_err(|_| io::Error::other("frame larger than 4 GiB"))?;
    let mut frame = Vec::with_capacity(4 + bytes.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(bytes);
    to.write_all(&frame)?;
    to.flush()
}

/// Reads a frame of at most `limit` bytes.
pub(crate) fn read_frame(from: &mut impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "frame larger than agreed",
        ));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The answer that carries a failure.
pub(crate) fn encode_failure(failure: &Failure) -> Vec<u8> {
    let mut bytes = vec![FAILURE];
    serde_json::to_writer(&mut bytes, failure).expect("a failure is strings and numbers");
    bytes
}

/// Reads an answer; whoever wrote it is not trusted.
pub(crate) fn decode_answer(bytes: &[u8]) -> Result<Value, Failure> {
    match bytes.split_first() {
        Some((&VALUE, rest)) => Value::decode(rest),
        Some((&FAILURE, rest)) => {
            let failure = serde_json::from_slice(rest);
            Err(failure.map_or_else(|_| Failure::crashed("malformed answer"), Failure::bounded))
        }
        _ => Err(Failure::crashed("malformed answer")),
    }
}
