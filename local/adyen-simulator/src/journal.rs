//! The books on disk: one line of JSON per commit, written before the call is answered.
//!
//! A killed process can leave an incomplete last line. The next start cuts it off, because its
//! call was never answered.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::books::{Books, Change};

/// The books and their file.
pub(crate) struct Journal {
    pub books: Books,
    file: Option<File>,
}

impl Journal {
    /// Opens the books in that directory; without one they are in memory only.
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

    /// Applies all of these changes, or none if they cannot be written.
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
