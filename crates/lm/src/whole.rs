//! Folders that are written whole, or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::tensor::Tensor;

/// Has a folder written as `.NAME.part` beside it, which is then renamed. One that is there is replaced whole. (It is
/// `.NAME.old` for the moment until the new one has its name, and stays so if the machine stops just then.)
///
/// `folder` must have a name and a parent that exists.
///
/// # Errors
/// Those of `fill`, and `Error::Io`; what was there is as it was.
pub(crate) fn replace(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let (part, old) = (beside(folder, "part"), beside(folder, "old"));
    // Of a save that was cut off.
    removed(&part)?;
    fs::create_dir(&part).map_err(|e| Error::io(&part, "made", e))?;
    let done = fill(&part).and_then(|()| exchange(&part, folder, &old));
    if done.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    done
}

/// Whether the folder could be replaced now.
pub(crate) fn replaceable(folder: &Path) -> Result<(), Error> {
    let part = beside(folder, "part");
    removed(&part)?;
    fs::create_dir(&part).map_err(|e| Error::io(&part, "made", e))?;
    removed(&part)
}

/// Brings back a folder that was about to be replaced when the machine stopped.
pub(crate) fn recover(folder: &Path) {
    if !folder.exists() && folder.file_name().is_some() {
        let _ = fs::rename(beside(folder, "old"), folder);
    }
}

fn beside(folder: &Path, ending: &str) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(format!(".{name}.{ending}"))
}

/// The whole path of a folder that need not exist, so that it has a name and a parent, which is made where it does not exist.
pub(crate) fn place(folder: &Path) -> Result<PathBuf, Error> {
    let made = |e| Error::io(folder, "made", e);
    if folder.exists() {
        return folder.canonicalize().map_err(made);
    }
    let parent = folder.parent().filter(|p| !p.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(made)?;
    let name = folder.file_name().unwrap_or_default();
    Ok(parent.canonicalize().map_err(made)?.join(name))
}

/// Gives a new folder the name of one that may be there.
fn exchange(new: &Path, folder: &Path, old: &Path) -> Result<(), Error> {
    let failed = |e| Error::io(folder, "replaced", e);
    if folder.exists() {
        removed(old)?;
        fs::rename(folder, old).map_err(failed)?;
    }
    if let Err(error) = fs::rename(new, folder) {
        let _ = fs::rename(old, folder);
        return Err(failed(error));
    }
    removed(old)
}

/// The name of a file in a folder, if it is there, that is none of those known.
pub(crate) fn stranger(
    folder: &Path,
    is_known: impl Fn(&str) -> bool,
) -> Result<Option<String>, Error> {
    if !folder.exists() {
        return Ok(None);
    }
    let read = |e| Error::io(folder, "read", e);
    for entry in fs::read_dir(folder).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
        let name = name.to_string_lossy();
        if !is_known(&name) {
            return Ok(Some(name.into_owned()));
        }
    }
    Ok(None)
}

/// Removes a folder if it is there.
pub(crate) fn removed(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io(folder, "removed", e)),
        _ => Ok(()),
    }
}

/// Writes a file through to the disk.
pub(crate) fn write(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut file = File::create(path).map_err(|e| Error::io(path, "written", e))?;
    fill(&mut file)?;
    file.sync_all().map_err(|e| Error::io(path, "written", e))
}

/// Writes a text file through to the disk.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    write(path, |file| {
        file.write_all(text.as_bytes())
            .map_err(|e| Error::io(path, "written", e))
    })
}

/// Writes a file that takes its name when it is whole.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let part = beside(path, "part");
    write(&part, |file| {
        let written = file.write_all(bytes);
        written.map_err(|e| Error::io(&part, "written", e))
    })?;
    fs::rename(&part, path).map_err(|e| Error::io(path, "written", e))
}

/// Writes tensors as a safetensors file (F32) through to the disk.
pub(crate) fn write_tensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), Error> {
    let shapes = tensors
        .iter()
        .map(|(name, t)| (name.clone(), t.shape.clone()));
    let (header, _) = layout(shapes);
    write(path, |file| {
        let io = |e| Error::io(path, "written", e);
        file.write_all(&header).map_err(io)?;
        for (_, tensor) in tensors {
            for bytes in pieces(&tensor.data) {
                file.write_all(&bytes).map_err(io)?;
            }
        }
        Ok(())
    })
}

/// Writes at a place of a file.
pub(crate) fn write_at(file: &mut File, path: &Path, at: u64, data: &[f32]) -> Result<(), Error> {
    let io = |e| Error::io(path, "written", e);
    file.seek(SeekFrom::Start(at)).map_err(io)?;
    for bytes in pieces(data) {
        file.write_all(&bytes).map_err(io)?;
    }
    Ok(())
}

/// Where each tensor's values begin after the head, in the order given.
pub(crate) type Places = Vec<(String, u64, Vec<usize>)>;

/// The head of a safetensors file with F32 tensors in the order given, and their places after it.
pub(crate) fn layout(tensors: impl IntoIterator<Item = (String, Vec<usize>)>) -> (Vec<u8>, Places) {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    let mut places = Vec::new();
    let mut end = 0u64;
    for (name, shape) in tensors {
        let begin = end;
        end += 4 * shape.iter().product::<usize>() as u64;
        header.insert(
            name.clone(),
            json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}),
        );
        places.push((name, begin, shape));
    }
    let text = Value::Object(header).to_string();
    let length = text.len().next_multiple_of(8);
    let mut head = (length as u64).to_le_bytes().to_vec();
    head.extend(text.as_bytes());
    head.resize(8 + length, b' ');
    (head, places)
}

/// Values as a file has them, piece by piece.
pub(crate) fn pieces(data: &[f32]) -> impl Iterator<Item = Vec<u8>> {
    data.chunks(1 << 16)
        .map(|chunk| chunk.iter().flat_map(|x| x.to_le_bytes()).collect())
}
