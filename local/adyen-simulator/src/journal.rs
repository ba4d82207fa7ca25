//! The books on disk: one line of JSON per step, written before anybody hears of it.
//!
//! A line that a killed process left unfinished is one that nobody was told about, and
//! is cut off at the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::books::{Books, Change};

/// The books, and the file that outlives them.
pub(crate) struct DeliveredWebhooks {
    pub books: Books,
    file: Option<File>,
}

impl DeliveredWebhooks {
    /// Opens the books in that directory, or new ones that end with the process.
    pub(crate) fn open(directory: Option<&Path>) -> io::Result<Self> {
        let mut books = Books::default();
        let Some(directory) = directory else {
            return Ok(Self { books, file: None });
        };
        fs::create_dir_all(directory)?;
        let path = directory.join("adyen.jsonl");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut read = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                break;
            }
            let changes: Vec<Change> = serde_json::from_slice(line)?;
            changes.into_iter().for_each(|change| books.apply(change));
            read += line.len();
        }
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.set_len(read as u64)?;
        Ok(Self { books, file: Some(file) })
    }

    /// Takes all of these changes or, when they can't be written, none.
    pub(crate) fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            let mut line = serde_json::to_vec(&changes)?;
            line.push(b'\n');
            file.write_all(&line)?;
        }
        changes.into_iter().for_each(|change| self.books.apply(change));
        Ok(())
    }
}
