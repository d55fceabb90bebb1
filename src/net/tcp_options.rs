//! Options of a `TcpStream`.

#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use socket2::SockRef;

use super::options;
use super::tcp_stream::TcpStream;

impl TcpStream {
    fn options(&self) -> io::Result<SockRef<'_>> {
        Ok(SockRef::from(self.socket().get().system()?))
    }

    /// Whether data are sent without delay (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// If the system refuses, as all methods for options.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use std::time::Duration;
    /// # use gorun::net::{TcpListener, TcpStream};
    /// # gorun::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// assert!(stream.nodelay()? && stream.keepalive()?);
    /// stream.set_nodelay(false)?;
    /// stream.set_keepalive(Duration::from_secs(60))?;
    /// stream.set_linger(None)?;
    /// stream.set_ttl(64)?;
    /// assert_eq!(stream.ttl()?, 64);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn nodelay(&self) -> io::Result<bool> {
        self.options()?.tcp_nodelay()
    }

    /// Whether to send data without delay (the default), or to collect small writes.
    ///
    /// Go counterpart: `TCPConn.SetNoDelay`.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`nodelay`](Self::nodelay).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.options()?.set_tcp_nodelay(nodelay)
    }

    /// Whether the system asks a silent peer whether it is there.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`nodelay`](Self::nodelay).
    pub fn keepalive(&self) -> io::Result<bool> {
        self.options()?.keepalive()
    }

    /// After how long without data the system asks whether the peer is there, and how often from then
    /// on; `None`: never. It is 15 seconds at the start.
    ///
    /// Go counterpart: `TCPConn.SetKeepAlivePeriod`.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`nodelay`](Self::nodelay).
    pub fn set_keepalive(&self, after: impl Into<Option<Duration>>) -> io::Result<()> {
        options::set_keepalive(&self.options()?, after.into())
    }

    /// How long closing waits for data that the peer does not have yet. `None`: it does not wait, and
    /// the system goes on sending.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`nodelay`](Self::nodelay).
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.options()?.linger()
    }

    /// How long closing waits for data that the peer does not have yet. Zero discards them, and
    /// resets the connection. Closing then blocks the thread that drops the last clone.
    ///
    /// Go counterpart: `TCPConn.SetLinger`.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`nodelay`](Self::nodelay).
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.options()?.set_linger(linger)
    }

    /// Over how many routers a packet may go.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`nodelay`](Self::nodelay).
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket().get().system()?.ttl()
    }

    /// Over how many routers a packet may go.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Examples
    ///
    /// See [`nodelay`](Self::nodelay).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket().get().system()?.set_ttl(ttl)
    }
}
