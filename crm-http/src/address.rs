//! Where a request comes from, through the proxies that are trusted.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;

/// Addresses that begin alike, e.g. `10.0.0.0/8`, `2001:db8::/32`, or one of them, `192.0.2.7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The header in which a proxy tells whom it speaks for. Only the one that the proxies write is read: the
/// other one would be the caller's own invention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, to which each proxy appends an address.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Network {
    /// Whether the address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, other, width) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(own.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        let rest = width - u32::from(self.bits);
        own.checked_shr(rest).unwrap_or(0) == other.checked_shr(rest).unwrap_or(0)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no network; write e.g. `10.0.0.0/8`, `::1` or `192.0.2.7`");
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| wrong())?)),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return Err(wrong());
        }
        Ok(Network { address, bits })
    }
}

impl FromStr for ProxyHeader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(ProxyHeader::XForwardedFor),
            "forwarded" => Ok(ProxyHeader::Forwarded),
            _ => Err(format!(
                "`{text}` is no header that is read; write `x-forwarded-for` or `forwarded`"
            )),
        }
    }
}

/// The caller's address: the peer's, or the nearest one that no trusted proxy has, as the trusted ones
/// tell. What stands farther away in the header was written by who knows whom.
pub(crate) fn of_caller(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[Network],
    written: ProxyHeader,
) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer.to_canonical();
    if !is_trusted(nearest) {
        return nearest;
    }
    let name = match written {
        ProxyHeader::XForwardedFor => "x-forwarded-for",
        ProxyHeader::Forwarded => "forwarded",
    };
    let lines: Vec<&str> =
        headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default()).collect();
    for told in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let address = match written {
            ProxyHeader::XForwardedFor => node(told),
            ProxyHeader::Forwarded => forwarded_for(told),
        };
        // What cannot be read ends the chain: nobody knows who stands behind it.
        let Some(address) = address else { return nearest };
        nearest = address;
        if !is_trusted(nearest) {
            return nearest;
        }
    }
    nearest
}

/// What wrong attempts and anonymous requests are counted by: a household or a server has a whole network
/// of 64 bits (RFC 6177), so that one address of it says little.
pub(crate) fn counted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() >> 64 << 64);
            format!("{network}/64")
        }
    }
}

/// The node of `for=` in one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| node(value.trim().trim_matches('"')))?
    })
}

/// An address, perhaps with a port, an IPv6 one perhaps in brackets.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().or_else(|_| match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default().parse(),
        None => text.parse::<SocketAddr>().map(|socket| socket.ip()),
    });
    Some(address.ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: &str, header: ProxyHeader, lines: &[(&'static str, &str)]) -> String {
        let trusted: Vec<Network> =
            ["10.0.0.0/8", "::1", "2001:db8::/32"].map(|text| text.parse().unwrap()).to_vec();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        of_caller(peer.parse().unwrap(), &headers, &trusted, header).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_the_nearest_stranger() {
        const XFF: &str = "x-forwarded-for";
        let told = |peer, lines: &[_]| told(peer, ProxyHeader::XForwardedFor, lines);
        assert_eq!(told("192.0.2.1", &[(XFF, "198.51.100.9")]), "192.0.2.1");
        assert_eq!(told("10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(told("10.1.2.3", &[(XFF, "1.1.1.1, 198.51.100.9")]), "198.51.100.9");
        assert_eq!(told("10.1.2.3", &[(XFF, "1.1.1.1, 198.51.100.9, 10.9.9.9")]), "198.51.100.9");
        assert_eq!(told("::ffff:10.1.2.3", &[(XFF, "198.51.100.9:4711")]), "198.51.100.9");
        assert_eq!(told("::1", &[(XFF, "198.51.100.1"), (XFF, "2a00::1")]), "2a00::1");
        assert_eq!(told("10.1.2.3", &[(XFF, "198.51.100.9, unknown")]), "10.1.2.3");
        assert_eq!(told("10.1.2.3", &[(XFF, "10.7.7.7")]), "10.7.7.7");
        // The header that these proxies do not write is the caller's.
        assert_eq!(told("10.1.2.3", &[("forwarded", "for=198.51.100.9")]), "10.1.2.3");
    }

    #[test]
    fn rfc_7239_is_read_with_its_quotes() {
        let told = |value| told("::1", ProxyHeader::Forwarded, &[("forwarded", value)]);
        assert_eq!(told("for=1.1.1.1, For=\"[2a00::17]:4711\";proto=https"), "2a00::17");
        assert_eq!(told("by=203.0.113.43; for=192.0.2.43"), "192.0.2.43");
        assert_eq!(told("for=1.1.1.1, for=_hidden"), "::1");
        assert_eq!(told("proto=http"), "::1");
    }

    #[test]
    fn networks_are_read_and_meet() {
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.1".parse().unwrap()));
        assert!(!all.contains("2a00::1".parse().unwrap()));
        let one: Network = "192.0.2.7".parse().unwrap();
        assert!(one.contains("192.0.2.7".parse().unwrap()));
        assert!(!one.contains("192.0.2.6".parse().unwrap()));
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "host", "10.0.0.0/-1"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_of_ipv6_is_counted_by_its_network() {
        assert_eq!(counted("2a00:1:2:3:4:5:6:7".parse().unwrap()), "2a00:1:2:3::/64");
        assert_eq!(counted("192.0.2.7".parse().unwrap()), "192.0.2.7");
    }
}
