//! Is the gateway dead, starting, hung, degraded, useless or ready?

use std::time::Duration;

use claw_record::Severity;

use super::Service;
use super::answers::{self, EventLoop, Life, Readiness, Start, described};
use crate::finding::{Finding, Measure, span};
use crate::network::probe::{Failure, Probe, time};
use crate::network::url::Url;

/// All that was seen of a gateway.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) url: Url,
    pub(crate) life: Probe,
    /// Asked for only while it lives, and the next one as well.
    pub(crate) start: Option<Probe>,
    pub(crate) readiness: Option<Probe>,
    pub(crate) service: Option<Service>,
    /// How the person who reads this finds out more and starts it anew, where it is of this box.
    pub(crate) remedy: Option<String>,
    /// For how long every look has found it starting.
    pub(crate) starting_for: Option<Duration>,
    /// Does its unit crash again and again?
    pub(crate) is_looping: bool,
    /// Was this very process ready at an earlier look, and not about to stop since?
    pub(crate) was_ready: bool,
    pub(crate) safe_mode: bool,
    pub(crate) grace: Duration,
    /// The time to the first byte that is worth a look.
    pub(crate) warn: f64,
}

/// The six verdicts. Other tools act upon these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Dead,
    Starting,
    Hung,
    Degraded,
    Useless,
    Ready,
}

/// Every start keeps the event loop busy.
const BUSY_START: Duration = Duration::from_secs(60);

/// A channel without a network holds up a stop until the gateway's own deadline.
const LONGEST_STOP: Duration = Duration::from_secs(330);

/// Says how it is with the gateway.
pub(crate) fn judge(seen: &Seen) -> Finding {
    let (state, finding) = match &seen.life.outcome {
        Err(failure) => seen.absent(failure),
        Ok(answer) => match answers::life(answer) {
            Life::Live => seen.alive(),
            Life::Proxied => seen.proxied(),
            Life::NothingBehind(status) => {
                seen.missing(State::Dead, &format!("a proxy answers, with status {status}"))
            }
            Life::Foreign(what) => seen.foreign(&what),
        },
    };
    seen.with_figures(state, finding)
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Starting => "starting",
            Self::Hung => "hung",
            Self::Degraded => "degraded",
            Self::Useless => "useless",
            Self::Ready => "ready",
        }
    }
}

impl Seen {
    /// Does the gateway live?
    pub(crate) fn is_alive(&self) -> bool {
        self.life.outcome.as_ref().is_ok_and(|answer| answers::life(answer) == Life::Live)
    }

    /// How long it has been up, by its own account.
    pub(crate) fn uptime(&self) -> Option<Duration> {
        let readiness = self.readiness().and_then(|readiness| readiness.uptime());
        readiness.or_else(|| self.begun().and_then(|start| start.uptime()))
    }

    /// Does it name channels that it holds back?
    pub(crate) fn holds_back(&self) -> bool {
        self.readiness().is_some_and(|readiness| !readiness.suppressed.is_empty())
    }

    fn begun(&self) -> Option<Start> {
        self.start.as_ref()?.outcome.as_ref().ok().and_then(Start::read)
    }

    fn readiness(&self) -> Option<Readiness> {
        self.readiness.as_ref()?.outcome.as_ref().ok().and_then(Readiness::read)
    }

    /// Its own account, or else the age of its unit.
    fn age(&self) -> Option<Duration> {
        self.uptime().or_else(|| self.service.as_ref().and_then(|service| service.age))
    }

    fn subject(&self) -> String {
        format!("gateway:{}", self.url)
    }

    /// Did its unit start so lately that nothing is wrong with it yet? One that starts again and
    /// again is always young.
    fn is_warming(&self) -> bool {
        let service = self.service.as_ref();
        let young = service.is_some_and(|service| service.is_young(self.grace));
        let is_up = self.was_ready && service.is_some_and(|service| service.state == "active");
        young && !is_up && !self.starts_again_and_again()
    }

    fn starts_again_and_again(&self) -> bool {
        let restarts = self.service.as_ref().map_or(0, |service| service.restarts);
        let so_long = self.starting_for.is_some_and(|so_long| so_long > self.grace * 2);
        self.is_looping || restarts >= 2 && so_long
    }

    fn absent(&self, failure: &Failure) -> (State, Finding) {
        match failure {
            Failure::NotHttp(_) | Failure::Tls(_) | Failure::Untrusted(_) => {
                self.foreign(&failure.to_string())
            }
            // It had all the time that it may have.
            Failure::Silent(_) | Failure::Dribble { .. } => {
                let (state, finding) = self.missing(State::Hung, &failure.to_string());
                (state, Finding { is_sure: true, ..finding })
            }
            Failure::Closed { .. } | Failure::Reset => {
                self.missing(State::Hung, &failure.to_string())
            }
            // A process that no longer accepts: its queue of connections is full.
            Failure::NoConnection(_) if self.url.endpoint.is_loopback() => {
                self.missing(State::Hung, &failure.to_string())
            }
            _ => self.missing(State::Dead, &failure.to_string()),
        }
    }

    fn missing(&self, state: State, why: &str) -> (State, Finding) {
        if self.is_warming() {
            return self.starting(why);
        }
        let put_away = self.service.as_ref().filter(|service| service.is_put_away);
        match put_away.map(|service| service.state.as_str()) {
            // It need not answer any more.
            Some("deactivating") => {
                let finding = Finding::warn(self.subject(), "dead: its unit is being stopped");
                return (State::Dead, finding);
            }
            Some(_) if state == State::Dead => {
                let message = "dead: its unit was stopped, and did not fail";
                let finding = Finding::warn(self.subject(), message);
                return (state, finding.remedy("sudo deploy start gateway"));
            }
            _ => {}
        }
        let mut message = format!("{}: {why}", state.word());
        if let Some(service) = &self.service {
            message.push_str(&format!("; its unit is {}", service.state));
            if self.starts_again_and_again() {
                message.push_str(", starting again and again");
                if let Some(so_long) = self.starting_for {
                    message.push_str(&format!(" for {}", span(so_long.as_secs_f64())));
                }
                message.push_str(&format!(", {} restarts", service.restarts));
            }
        }
        let finding = Finding::critical(self.subject(), message);
        (state, Finding { remedy: self.remedy.clone(), ..finding })
    }

    /// A start that takes no longer than it may is nothing to be loud about, unless one follows the
    /// other.
    fn starting(&self, what: &str) -> (State, Finding) {
        if self.is_looping {
            return self.missing(State::Dead, what);
        }
        let grace = self.grace.as_secs_f64();
        let message = match self.age() {
            Some(age) => {
                format!(
                    "starting: {what}, {} after its start; limit {grace} s",
                    span(age.as_secs_f64())
                )
            }
            None => format!("starting: {what}"),
        };
        let finding = Finding::warn(self.subject(), message);
        let is_late = self.age().is_some_and(|age| age >= self.grace);
        let severity = if is_late { finding.severity } else { Severity::Info };
        (State::Starting, Finding { severity, ..finding })
    }

    /// The age of what is about to end says nothing; how long it has been ending does.
    fn draining(&self) -> (State, Finding) {
        let mut message = "starting: it drains before it stops or starts anew".to_owned();
        let late = self.starting_for.filter(|so_long| *so_long >= LONGEST_STOP);
        if let Some(so_long) = late {
            let (so_long, limit) = (span(so_long.as_secs_f64()), span(LONGEST_STOP.as_secs_f64()));
            message.push_str(&format!(", for {so_long} already; limit {limit}"));
        }
        let finding = Finding::warn(self.subject(), message);
        let severity = if late.is_some() { finding.severity } else { Severity::Info };
        (State::Starting, Finding { severity, ..finding })
    }

    fn foreign(&self, what: &str) -> (State, Finding) {
        let message = format!("dead: another program answers at {}: {what}", self.url.endpoint);
        let port = self.url.endpoint.port;
        let remedy = format!("see which program has the port: ss -ltnp 'sport = :{port}'");
        (State::Dead, Finding::critical(self.subject(), message).remedy(remedy))
    }

    fn proxied(&self) -> (State, Finding) {
        let message = "degraded: it lives, and refuses what the proxy before it passes on \
                       (403 proxy_attribution_required)";
        let remedy = "add the proxy to gateway.trustedProxies, and let it overwrite \
                      X-Forwarded-For with the address of its client";
        (State::Degraded, Finding::warn(self.subject(), message).remedy(remedy))
    }

    fn alive(&self) -> (State, Finding) {
        let begun = self.begun();
        let status = begun.as_ref().map_or("", |start| start.status.as_str());
        let readiness = self.readiness();
        let failing = readiness.as_ref().map_or(&[][..], |readiness| &readiness.failing);
        let fails = |name: &str| failing.iter().any(|failing| failing == name);
        if status == "draining" || fails("gateway-draining") {
            return self.draining();
        }
        if status == "starting" || fails("startup-sidecars") {
            return self.starting("it says so itself");
        }
        match readiness {
            None => self.without_readiness(),
            Some(its) if its.ready => self.ready(begun, its.event_loop.as_ref()),
            Some(its) => self.useless(&its.failing),
        }
    }

    fn without_readiness(&self) -> (State, Finding) {
        let why = match self.readiness.as_ref().map(|probe| &probe.outcome) {
            // Some releases say that they live to whoever asks.
            Some(Ok(answer)) if answers::is_proxied(answer) => return self.proxied(),
            Some(Ok(answer)) => described(answer),
            Some(Err(failure)) => failure.to_string(),
            None => "there was no time left to ask".to_owned(),
        };
        let what = format!("it lives, and /readyz does not say whether it can work: {why}");
        if self.is_warming() {
            return self.starting(&what);
        }
        let message = format!("degraded: {what}");
        (State::Degraded, Finding::warn(self.subject(), message))
    }

    fn useless(&self, failing: &[String]) -> (State, Finding) {
        if failing == ["plugin-reload"] {
            let message = "degraded: it lives, and reloads its plugins";
            return (State::Degraded, Finding::warn(self.subject(), message));
        }
        let held_back =
            if self.safe_mode { "; and its restart-loop breaker has tripped" } else { "" };
        let (what, remedy) = match failing.first() {
            None => ("it does not say what is failing".to_owned(), "openclaw status"),
            Some(first) if first.starts_with("agent-database:") || first == "state-database" => {
                (format!("failing: {}", list(failing)), "openclaw doctor --lint")
            }
            Some(_) => (format!("failing: {}", list(failing)), "openclaw channels status"),
        };
        let message = format!("useless: it lives, and says that it cannot work; {what}{held_back}");
        let finding = Finding::fail(self.subject(), message);
        (State::Useless, finding.remedy(format!("see what is wrong: {remedy}")))
    }

    fn ready(&self, begun: Option<Start>, event_loop: Option<&EventLoop>) -> (State, Finding) {
        let first_byte = self.life.clocks.first_byte.unwrap_or_default();
        let limit = self.warn;
        let version = begun.and_then(|start| start.version).unwrap_or_default();
        let mut what = format!("first byte after {}; limit {limit} s", time(first_byte));
        if let Some(uptime) = self.uptime() {
            what = format!("up for {}, {what}", span(uptime.as_secs_f64()));
        }
        if !version.is_empty() {
            what = format!("version {version:.40}, {what}");
        }
        if self.safe_mode {
            let message = format!("ready: restart-loop breaker: channels are held back; {what}");
            let remedy = "read the newest crash: openclaw gateway stability --bundle latest; once \
                          that is cured, restart the gateway";
            return (State::Ready, Finding::warn(self.subject(), message).remedy(remedy));
        }
        let busy = event_loop.filter(|its| its.degraded).map(busy);
        let slow = (first_byte.as_secs_f64() >= limit).then(|| "its answer is late".to_owned());
        let Some(trouble) = busy.or(slow) else {
            return (State::Ready, Finding::pass(self.subject(), format!("ready: {what}")));
        };
        if self.age().is_some_and(|age| age < BUSY_START) && !self.is_looping {
            return self.starting(&trouble);
        }
        (State::Degraded, Finding::warn(self.subject(), format!("degraded: {trouble}; {what}")))
    }

    fn with_figures(&self, state: State, finding: Finding) -> Finding {
        let mut finding = finding.note("state", state.word());
        let clocks = &self.life.clocks;
        let seconds = |key, after: Duration| Measure::new(key, after.as_secs_f64());
        let mut measures = Vec::new();
        measures.extend(clocks.connect.map(|after| seconds("connect_seconds", after)));
        let first_byte = clocks.first_byte.map(|after| seconds("first_byte_seconds", after));
        measures.extend(first_byte.map(|measure| measure.warn_at(self.warn)));
        measures.extend(self.uptime().map(|uptime| seconds("uptime_seconds", uptime)));
        if let Some(readiness) = self.readiness() {
            if let Some(its) = readiness.event_loop {
                let delay = its.delay_p99_ms.map(|delay| delay / 1000.0);
                let share = its.utilization.map(|share| share * 100.0);
                measures.extend(delay.map(|delay| Measure::new("event_loop_delay_seconds", delay)));
                measures.extend(share.map(|share| Measure::percent("event_loop_percent", share)));
            }
            finding = finding.note("failing", first(&readiness.failing));
        }
        if let Some(version) = self.begun().and_then(|start| start.version) {
            finding = finding.note("version", version);
        }
        if let Some(service) = &self.service {
            finding = finding.note("unit_state", service.state.clone());
        }
        if self.is_alive() {
            finding = finding.note("safe_mode", self.safe_mode);
        }
        measures.into_iter().fold(finding, Finding::measure)
    }
}

fn busy(its: &EventLoop) -> String {
    let delay = its.delay_p99_ms.map(|delay| format!(", delay p99 {delay:.0} ms"));
    let share = its.utilization.map(|share| format!(", utilization {:.0} %", share * 100.0));
    let reasons =
        if its.reasons.is_empty() { String::new() } else { format!(" ({})", list(&its.reasons)) };
    let (delay, share) = (delay.unwrap_or_default(), share.unwrap_or_default());
    format!("its event loop is busy{reasons}{delay}{share}")
}

/// The first of them, none too long: the other side wrote them.
fn first(names: &[String]) -> Vec<String> {
    const MANY: usize = 8;
    names.iter().take(MANY).map(|name| format!("{name:.64}")).collect()
}

fn list(names: &[String]) -> String {
    let shown = first(names);
    let more = names.len() - shown.len();
    let list = shown.join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

#[cfg(test)]
mod tests;
