//! TensorBoard's event files: protobuf messages (`tensorflow.Event`) in TFRecord's frames.
//!
//! A frame is the message's length (u64), the masked checksum of these eight bytes, the message and its masked checksum (u32);
//! all little-endian.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// An event file that grows.
#[derive(Debug)]
pub(super) struct Events {
    path: PathBuf,
    file: File,
}

/// What TensorBoard knows an event file by; seconds since 1970 and a name follow, which order the files of a folder.
const NAME: &str = "events.out.tfevents.";

impl Events {
    /// Makes a new file after all others of the folder, which supersedes their events from a step on.
    pub(super) fn create(folder: &Path, from: u64, time: f64) -> Result<Self, Error> {
        let listing = fs::read_dir(folder).map_err(|e| Error::io(folder, "read", e))?;
        let last = listing
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                let rest = name.to_str()?.strip_prefix(NAME)?;
                rest.split('.').next()?.parse::<u64>().ok()
            })
            .max();
        let seconds = (time as u64).max(last.map_or(0, |last| last.saturating_add(1)));
        let path = folder.join(format!("{NAME}{seconds:010}.samara"));
        let made = OpenOptions::new().create_new(true).write(true).open(&path);
        let file = made.map_err(|e| Error::io(&path, "written", e))?;
        let mut events = Self { path, file };
        let mut version = event(time, 0);
        text(&mut version, 3, "brain.Event:2");
        let mut start = event(time, from);
        // SessionLog { status: START }.
        bytes(&mut start, 7, &[0x08, 1]);
        events.frame(&version)?;
        events.frame(&start)?;
        Ok(events)
    }

    /// Writes the scalars of a step.
    pub(super) fn write(
        &mut self,
        step: u64,
        time: f64,
        scalars: &[(&str, f32)],
    ) -> Result<(), Error> {
        self.frame(&summary(step, time, scalars))
    }

    /// Writes a frame at once, so that what a kill leaves is whole frames and the beginning of one at most.
    fn frame(&mut self, message: &[u8]) -> Result<(), Error> {
        let written = self.file.write_all(&framed(message));
        written.map_err(|e| Error::io(&self.path, "written", e))
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut frame = length.to_vec();
    frame.extend(masked(crc32c(&length)).to_le_bytes());
    frame.extend(message);
    frame.extend(masked(crc32c(message)).to_le_bytes());
    frame
}

/// An `Event` with its time (field 1) and step (2); a step of 0 is left out, as a default.
fn event(time: f64, step: u64) -> Vec<u8> {
    let mut message = vec![0x09];
    message.extend(time.to_le_bytes());
    if step > 0 {
        message.push(0x10);
        varint(&mut message, step);
    }
    message
}

/// An `Event` with a `Summary` (5) of `Value`s (1), each of a tag (1) and a number (2).
fn summary(step: u64, time: f64, scalars: &[(&str, f32)]) -> Vec<u8> {
    let mut values = Vec::new();
    for (tag, number) in scalars {
        let mut value = Vec::new();
        text(&mut value, 1, tag);
        value.push(0x15);
        value.extend(number.to_le_bytes());
        bytes(&mut values, 1, &value);
    }
    let mut message = event(time, step);
    bytes(&mut message, 5, &values);
    message
}

/// Adds a field of bytes, such as a message.
fn bytes(message: &mut Vec<u8>, field: u8, content: &[u8]) {
    message.push((field << 3) | 2);
    varint(message, content.len() as u64);
    message.extend(content);
}

fn text(message: &mut Vec<u8>, field: u8, content: &str) {
    bytes(message, field, content.as_bytes());
}

/// Seven bits a byte, the lowest first; all but the last have the eighth set.
fn varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

/// CRC-32C (Castagnoli), the bits reflected.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut rest = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                rest = (rest >> 1) ^ ((rest & 1) * 0x82f6_3b78);
                bit += 1;
            }
            table[byte] = rest;
            byte += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, byte| {
        TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8)
    })
}

/// TFRecord's mask, for checksums of what has checksums in it.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums() {
        // The check value of CRC-32C (RFC 3720 has others of it), and what the package tensorboard makes of it.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked(crc32c(b"123456789")), 0xc78a_b0e5);
    }

    /// The bytes that python's package tensorboard 2.21 writes of the same (`RecordWriter`, `Event`, `Summary`).
    #[test]
    fn frames_are_tensorboard_s() {
        let mut version = event(1_700_000_000.25, 0);
        text(&mut version, 3, "brain.Event:2");
        let scalars = [("loss/train", 1.25), ("rate", 2e-3)];
        let event = summary(300, 1_700_000_001.5, &scalars);
        let made = [framed(&version), framed(&event)].concat();
        let hex: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9\
             2e00000000000000c5cb57fa0900006040fc54d94110ac022a200a110a0a6c6f73732f747261696e\
             150000a03f0a0b0a0472617465156f12033b3a916af4"
        );
    }

    /// A clock that stands, or was set back, changes nothing about the order.
    #[test]
    fn files_are_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for time in [1e9 + 7.5, 1e9 + 7.5, 1e8, 2e9] {
            Events::create(folder.path(), 1, time).unwrap();
        }
        let listing = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = listing
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let seconds = ["1000000007", "1000000008", "1000000009", "2000000000"];
        assert_eq!(
            names,
            seconds.map(|seconds| format!("events.out.tfevents.{seconds}.samara"))
        );
    }
}
