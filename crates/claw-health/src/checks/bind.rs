//! Where does the gateway really listen?

use std::collections::HashMap;

use claw_record::Status;
use serde_json::{Value, json};

use crate::checks::{Check, Find, Found, Needs};
use crate::finding::Finding;
use crate::gateway;
use crate::host::Host;
use crate::look::Look;
use crate::network::address::Class;
use crate::network::sockets::{self, Listener};
use crate::processes;

pub(super) const CHECK: Check = Check {
    name: "bind",
    about: "the addresses that the gateway really listens on, by the kernel's socket tables",
    operand: "PORT",
    settings: &[],
    find: Find::On(own),
    needs: Needs::Gateway,
    waits: false,
    runs_programs: false,
    every_seconds: 0,
    is_sure: true,
    run,
};

/// Who holds a socket.
#[derive(Clone, Debug, PartialEq)]
struct Holder {
    pid: u32,
    command: Option<String>,
    unit: Option<String>,
}

/// A socket, the class of its address, and who holds it where that can be seen.
#[derive(Debug)]
struct Bound {
    listener: Listener,
    class: Class,
    holder: Option<Holder>,
}

/// The gateway's port. Where its address is no URL, the check itself says so.
fn own(host: &Host) -> Vec<String> {
    vec![gateway::url(host).map(|url| url.endpoint.port.to_string()).unwrap_or_default()]
}

fn run(look: &Look) -> Found {
    let host = &look.host;
    if !host.is_running() {
        return Err("a tree of files has no sockets".to_owned());
    }
    let port = match look.operand.as_str() {
        "" => gateway::url(host)?.endpoint.port,
        text => text.parse().map_err(|_| format!("'{text}' is no port"))?,
    };
    let mut listeners = sockets::listening()?;
    listeners.retain(|listener| listener.address.port() == port);
    let mut holders = holders(host, &listeners);
    let bound: Vec<_> = listeners
        .into_iter()
        .map(|listener| Bound {
            class: Class::of(listener.address.ip()),
            holder: holders.remove(&listener.inode),
            listener,
        })
        .collect();
    let unit = host.owner().home.join(".config/systemd/user").join(&host.gateway_unit);
    let unit = host.meta(unit).is_ok().then_some(host.gateway_unit.as_str());
    Ok(vec![judge(look.subject(), port, &bound, unit)])
}

/// Who holds the sockets, by number. Those of the gateway's unit are looked at first, then those of
/// the sockets' owners, and no more once all sockets are found; an ordinary user sees into their own
/// alone.
fn holders(host: &Host, listeners: &[Listener]) -> HashMap<u32, Holder> {
    let mut found = HashMap::new();
    let gateway = processes::of_unit(host, &host.gateway_unit);
    // Without the list of processes the sockets are what they are all the same.
    let others = std::iter::once_with(|| processes::all(host).unwrap_or_default()).flatten();
    for pid in gateway.into_iter().chain(others) {
        if found.len() == listeners.len() {
            break;
        }
        let owner = processes::owner(host, pid);
        if !listeners.iter().any(|listener| Some(listener.uid) == owner) {
            continue;
        }
        for inode in processes::sockets(host, pid) {
            if listeners.iter().any(|listener| listener.inode == inode) {
                found.entry(inode).or_insert_with(|| Holder {
                    pid,
                    command: processes::command(host, pid),
                    unit: processes::unit(host, pid),
                });
            }
        }
    }
    found
}

/// The widest address decides. `unit` is the gateway's, where it has one.
fn judge(subject: String, port: u16, bound: &[Bound], unit: Option<&str>) -> Finding {
    let Some(widest) = bound.iter().map(|bound| bound.class).max() else {
        return Finding::unknown(subject, format!("nothing listens on port {port}"));
    };
    let (status, severe) = match widest {
        Class::Loopback | Class::Tailnet => (Status::Pass, false),
        Class::LinkLocal | Class::Private => (Status::Warn, false),
        Class::Public | Class::Wildcard => (Status::Fail, true),
    };
    let addresses: Vec<_> = bound.iter().map(Bound::told).collect();
    let mut message = format!("listens on {}", addresses.join(", "));
    message.push_str(match widest {
        Class::Loopback => ": from this box alone",
        Class::Tailnet => ": from this box and its tailnet, which is as good",
        Class::LinkLocal => ": from everybody on the same link",
        Class::Private => ": from the private network",
        Class::Public | Class::Wildcard => ": from everywhere, unless a firewall is before it",
    });
    let strangers: Vec<_> = bound.iter().filter_map(|bound| bound.stranger(unit?)).collect();
    if let (Some(stranger), Some(unit)) = (strangers.first(), unit) {
        message.push_str(&format!("; held by {stranger}, which is not of {unit}"));
    }
    let finding = if severe {
        Finding::critical(subject, message)
    } else {
        Finding::judged(status, subject, message)
    };
    let finding = finding
        .note("address_class", widest.to_string())
        .note("listeners", bound.iter().map(Bound::data).collect::<Vec<_>>());
    if finding.passes() {
        return finding;
    }
    finding.remedy("set gateway.bind to \"loopback\" in openclaw.json and restart the gateway; reach it by ssh -L, a tailnet or a proxy")
}

impl Bound {
    fn told(&self) -> String {
        let address = self.listener.address;
        match self.class {
            Class::Wildcard => match self.listener.v6only {
                Some(false) => format!("{address} (every address, IPv4 too)"),
                _ => format!("{address} (every address)"),
            },
            class => format!("{address} ({class})"),
        }
    }

    fn data(&self) -> Value {
        let mut data = json!({
            "address": self.listener.address.to_string(),
            "class": self.class.to_string(),
            "uid": self.listener.uid,
        });
        if let Some(v6only) = self.listener.v6only {
            data["v6only"] = v6only.into();
        }
        if let Some(holder) = &self.holder {
            data["pid"] = holder.pid.into();
            for (key, value) in [("command", &holder.command), ("unit", &holder.unit)] {
                if let Some(value) = value {
                    data[key] = value.as_str().into();
                }
            }
        }
        data
    }

    /// Who holds it, where that is not a process of the unit. A name alone proves nothing: under
    /// systemd the gateway is just another `node`.
    fn stranger(&self, unit: &str) -> Option<String> {
        let holder = self.holder.as_ref()?;
        if holder.unit.as_deref() == Some(unit) {
            return None;
        }
        let command = holder.command.as_deref().unwrap_or("a process");
        Some(format!("{command} (process {})", holder.pid))
    }
}

#[cfg(test)]
mod tests {
    use claw_record::Severity;

    use super::*;

    fn bound(address: &str, v6only: Option<bool>) -> Bound {
        let address: std::net::SocketAddr = address.parse().unwrap();
        let listener = Listener { address, uid: 1000, inode: 7, v6only };
        Bound { class: Class::of(address.ip()), listener, holder: None }
    }

    fn judged(bound: &[Bound]) -> Finding {
        judge("bind:18789".into(), 18789, bound, None)
    }

    #[test]
    fn h2_the_widest_address_decides() {
        let (pass, warn, fail) = (
            (Status::Pass, Severity::Info),
            (Status::Warn, Severity::Warning),
            (Status::Fail, Severity::Critical),
        );
        for (addresses, class, expected) in [
            (&["127.0.0.1:18789", "[::1]:18789"][..], "loopback", pass),
            (&["127.0.0.1:18789", "100.64.0.1:18789"], "tailnet", pass),
            (&["[fd7a:115c:a1e0::1]:18789"], "tailnet", pass),
            (&["127.0.0.1:18789", "10.0.0.1:18789"], "private", warn),
            (&["[fe80::1]:18789"], "link-local", warn),
            (&["127.0.0.1:18789", "192.0.2.1:18789"], "public", fail),
            (&["0.0.0.0:18789"], "wildcard", fail),
            (&["[::]:18789"], "wildcard", fail),
        ] {
            let bound: Vec<_> = addresses.iter().map(|address| bound(address, None)).collect();
            let finding = judged(&bound);
            assert_eq!((finding.status, finding.severity), expected, "{addresses:?}");
            assert_eq!(finding.data["address_class"], class);
            assert_eq!(finding.remedy.is_some(), expected != pass, "{addresses:?}");
        }
    }

    #[test]
    fn h2_a_tailnet_address_is_no_alarm_and_is_said() {
        let bound = [bound("127.0.0.1:18789", None), bound("100.64.0.1:18789", None)];
        assert_eq!(
            judged(&bound).message,
            "listens on 127.0.0.1:18789 (loopback), 100.64.0.1:18789 (tailnet): from this box and \
             its tailnet, which is as good"
        );
    }

    #[test]
    fn h2_an_ipv6_wildcard_says_that_it_takes_ipv4() {
        assert_eq!(
            judged(&[bound("[::]:18789", Some(false))]).message,
            "listens on [::]:18789 (every address, IPv4 too): from everywhere, unless a firewall is \
             before it"
        );
    }

    #[test]
    fn h2_a_holder_outside_the_unit_is_noted_and_not_judged() {
        let holder = Holder { pid: 9, command: Some("node".into()), unit: Some("x.scope".into()) };
        let bound = [Bound { holder: Some(holder), ..bound("127.0.0.1:18789", None) }];
        let finding = judge("bind:18789".into(), 18789, &bound, Some("openclaw-gateway.service"));
        assert_eq!(finding.status, Status::Pass);
        assert!(
            finding
                .message
                .ends_with("; held by node (process 9), which is not of openclaw-gateway.service")
        );
        assert_eq!(
            finding.data["listeners"],
            json!([{"address": "127.0.0.1:18789", "class": "loopback", "uid": 1000, "pid": 9,
                    "command": "node", "unit": "x.scope"}])
        );
    }

    #[test]
    fn nothing_that_listens_is_unknown() {
        let finding = judged(&[]);
        assert_eq!(
            (finding.status, finding.message.as_str()),
            (Status::Unknown, "nothing listens on port 18789")
        );
    }
}
