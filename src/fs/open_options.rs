//! `OpenOptions`: how a file is opened.

#![forbid(unsafe_code)]

use std::fs;

/// How a [`File`](super::File) is opened. [`File::open`](super::File::open) and
/// [`File::create`](super::File::create) are enough for most.
///
/// One of `std` can be turned into it, with what only some systems have: its mode, for example.
///
/// Go counterpart: the flags of `os.OpenFile`.
///
/// # Examples
///
/// ```
/// use futures::AsyncWriteExt;
/// use gorun::fs::{self, File};
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("gorun-append-{}", std::process::id()));
/// gorun::block_on(async {
///     for line in ["one\n", "two\n"] {
///         let mut log = File::options().append(true).create(true).open(&path).await?;
///         log.write_all(line.as_bytes()).await?;
///     }
///     assert_eq!(fs::read_to_string(&path).await?, "one\ntwo\n");
///     fs::remove_file(&path).await
/// })
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(fs::OpenOptions);

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions::new()
    }
}

impl From<fs::OpenOptions> for OpenOptions {
    fn from(options: fs::OpenOptions) -> Self {
        OpenOptions(options)
    }
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        ///
        /// # Examples
        ///
        /// See [`OpenOptions`].
        pub fn $name(&mut self, yes: bool) -> &mut Self {
            self.0.$name(yes);
            self
        }
    )*};
}

impl OpenOptions {
    /// All of them are off.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::fs::OpenOptions;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     OpenOptions::new().read(true).open("Cargo.toml").await?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn new() -> Self {
        OpenOptions(fs::OpenOptions::new())
    }

    options! {
        /// Whether it can be read.
        read,
        /// Whether it can be written. What is in it stays where it is not overwritten.
        write,
        /// Whether each write goes to its end.
        append,
        /// Whether it is emptied; it must be writable.
        truncate,
        /// Whether it is made if it does not exist; it must be writable.
        create,
        /// Whether it is made, and must not exist; it must be writable.
        create_new
    }

    pub(super) fn as_std(&self) -> &fs::OpenOptions {
        &self.0
    }
}
