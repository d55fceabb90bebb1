//! What can be given as an address.

#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::resolver;

/// Addresses: of [`std::net`], or as text, `"example.org:80"`, or a pair of host and port. An IPv6
/// address has brackets in a text, and it may have a zone: `"[fe80::1%eth0]:80"`.
///
/// The name of a host is looked up when the address is used; see [`lookup_host`](super::lookup_host).
/// No other types can implement this trait.
///
/// Go counterpart: the `address` of `net.Dial` and `net.Listen`.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
/// use gorun::net::TcpListener;
///
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     TcpListener::bind("127.0.0.1:0").await?;
///     TcpListener::bind(("localhost", 0)).await?;
///     TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
///     Ok(())
/// })
/// # }
/// ```
pub trait ToAddrs: sealed::ToTarget {}

impl<T: sealed::ToTarget + ?Sized> ToAddrs for T {}

pub(super) mod sealed {
    use std::io;

    pub trait ToTarget {
        #[doc(hidden)]
        fn to_target(&self) -> io::Result<crate::net::to_addrs::Target>;
    }
}
use sealed::ToTarget;

/// Addresses, or where to find them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Addrs(Vec<SocketAddr>),
    Name { host: String, port: u16 },
}

impl Target {
    /// At least one.
    pub(super) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Target::Addrs(addrs) if addrs.is_empty() => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the list of addresses is empty; give at least one",
            )),
            Target::Addrs(addrs) => Ok(addrs.clone()),
            Target::Name { host, port } => {
                let mut found = resolver::lookup(host).await?;
                found.iter_mut().for_each(|address| address.set_port(*port));
                Ok(found)
            }
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Addrs(addrs) => match &addrs[..] {
                [only] => write!(f, "{only}"),
                several => write!(f, "{several:?}"),
            },
            Target::Name { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Target::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

fn invalid(text: &str, why: &str) -> io::Error {
    let kind = io::ErrorKind::InvalidInput;
    io::Error::new(kind, format!("\"{text}\" is no address: {why}"))
}

fn host_and_port(host: &str, port: u16) -> io::Result<Target> {
    let unbracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let ip = unbracketed.unwrap_or(host);
    if let Ok(ip) = ip.parse::<IpAddr>() {
        return Ok(Target::Addrs(vec![SocketAddr::new(ip, port)]));
    }
    if let Some((address, zone)) = ip.split_once('%') {
        return with_zone(address, zone, port);
    }
    if host.starts_with('[') {
        return Err(invalid(host, "brackets are for an IPv6 address, as in \"[::1]:80\""));
    }
    if host.is_empty() {
        let why = "the host is missing; write \"localhost\", or \"[::]\" for all of this machine's";
        return Err(invalid(&format!(":{port}"), why));
    }
    if host.contains('\0') {
        return Err(invalid(&host.replace('\0', "\\0"), "a name has no zero byte"));
    }
    Ok(Target::Name { host: host.to_owned(), port })
}

/// The zone of an IPv6 address is the number of an interface, or its name, which the system knows.
fn with_zone(address: &str, zone: &str, port: u16) -> io::Result<Target> {
    let text = format!("{address}%{zone}");
    let Ok(ip) = address.parse::<Ipv6Addr>() else {
        return Err(invalid(&text, "only an IPv6 address has a zone, as in \"fe80::1%eth0\""));
    };
    if zone.is_empty() || zone.contains('\0') {
        let why = "the zone is missing; write the interface's name or number, \"fe80::1%eth0\"";
        return Err(invalid(&text.replace('\0', "\\0"), why));
    }
    Ok(match zone.parse() {
        Ok(number) => Target::Addrs(vec![SocketAddrV6::new(ip, port, 0, number).into()]),
        Err(_) => Target::Name { host: text, port },
    })
}

impl ToTarget for str {
    fn to_target(&self) -> io::Result<Target> {
        if let Ok(addr) = self.parse::<SocketAddr>() {
            return Ok(Target::Addrs(vec![addr]));
        }
        let Some((host, port)) = self.rsplit_once(':') else {
            return Err(invalid(self, "the port is missing; write \"host:port\""));
        };
        let Ok(number) = port.parse() else {
            let why = format!("\"{port}\" is no port; that is a number up to 65535");
            return Err(invalid(self, &why));
        };
        if host.contains(':') && !host.starts_with('[') {
            return Err(invalid(self, "an IPv6 address has brackets, as in \"[::1]:80\""));
        }
        host_and_port(host, number)
    }
}

impl ToTarget for String {
    fn to_target(&self) -> io::Result<Target> {
        self.as_str().to_target()
    }
}

impl ToTarget for (&str, u16) {
    fn to_target(&self) -> io::Result<Target> {
        host_and_port(self.0, self.1)
    }
}

impl ToTarget for (String, u16) {
    fn to_target(&self) -> io::Result<Target> {
        host_and_port(&self.0, self.1)
    }
}

impl ToTarget for [SocketAddr] {
    fn to_target(&self) -> io::Result<Target> {
        Ok(Target::Addrs(self.to_vec()))
    }
}

impl<const N: usize> ToTarget for [SocketAddr; N] {
    fn to_target(&self) -> io::Result<Target> {
        self[..].to_target()
    }
}

impl ToTarget for Vec<SocketAddr> {
    fn to_target(&self) -> io::Result<Target> {
        self[..].to_target()
    }
}

macro_rules! addresses {
    ($($address:ty),*) => {$(
        impl ToTarget for $address {
            fn to_target(&self) -> io::Result<Target> {
                Ok(Target::Addrs(vec![SocketAddr::from(*self)]))
            }
        }
    )*};
}
addresses!(SocketAddr, SocketAddrV4, SocketAddrV6);
addresses!((IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl<T: ToTarget + ?Sized> ToTarget for &T {
    fn to_target(&self) -> io::Result<Target> {
        T::to_target(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_an_address_or_the_error_says_what_is_wrong() {
        let name = |host: &str, port| Target::Name { host: host.to_owned(), port };
        let addr = |text: &str| Target::Addrs(vec![text.parse().unwrap()]);
        assert_eq!("example.org:80".to_target().unwrap(), name("example.org", 80));
        assert_eq!("1.2.3.4:0".to_target().unwrap(), addr("1.2.3.4:0"));
        assert_eq!("[::1]:65535".to_target().unwrap(), addr("[::1]:65535"));
        assert_eq!(("::1", 7).to_target().unwrap(), addr("[::1]:7"));
        assert_eq!(("[::1]", 7).to_target().unwrap(), addr("[::1]:7"));
        assert_eq!("[fe80::1%3]:7".to_target().unwrap(), addr("[fe80::1%3]:7"));
        assert_eq!(("fe80::1%3", 7).to_target().unwrap(), addr("[fe80::1%3]:7"));
        assert_eq!("[fe80::1%lo]:7".to_target().unwrap(), name("fe80::1%lo", 7));
        assert_eq!(("fe80::1%lo", 7).to_target().unwrap(), name("fe80::1%lo", 7));
        for (text, part) in [
            ("example.org", "the port is missing"),
            ("example.org:http", "\"http\" is no port"),
            ("example.org:65536", "a number up to 65535"),
            ("example.org:", "\"\" is no port"),
            (":80", "the host is missing"),
            ("::1:80", "brackets"),
            ("[::1", "brackets"),
            ("[example.org]:80", "brackets"),
            ("a\0b:80", "no zero byte"),
            ("[fe80::1%]:80", "the zone is missing"),
            ("[fe80::1%a\0b]:80", "the zone is missing"),
            ("1.2.3.4%eth0:80", "only an IPv6 address has a zone"),
        ] {
            let error = text.to_target().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(part), "{text:?}: {error}");
        }
    }
}
