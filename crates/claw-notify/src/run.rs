//! The story: whom to tell, what comes in, what is on the disk, what is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use clap_complete::generate;
use claw_record::{Complaint, Format, Outcome, Output, Severity, Source, complain};

use crate::accept::{self, Between, Taking};
use crate::args::{self, Args, Verb};
use crate::censor::Censor;
use crate::deliverer::{self, Ended};
use crate::engine::{Event, Setup};
use crate::http::Http;
use crate::incident::Rules;
use crate::means::Means;
use crate::route::Route;
use crate::secret::Place;
use crate::spool::{self, Writer};
use crate::{channels, verbs};

/// Longer than any process lives.
const FOR_EVER: Duration = Duration::from_secs(10 * 366 * 86_400);

/// Does what was asked for, and says how it turned out.
pub(crate) fn run(args: &Args) -> Result<Outcome, Complaint> {
    let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    let source = Source::on("claw-notify", host.clone());
    let mut output = Output::stdout(args.format.map(Format::from));
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        generate(shell, &mut args::command(), "claw-notify", &mut script);
        output.piece(&script)?;
        return Ok(Outcome::Well);
    }
    if args.list {
        return verbs::list(&source, &mut output);
    }
    // Secrets are in memory while something is sent.
    let _ = nix::sys::prctl::set_dumpable(false);
    let spool = spool_folder(args);
    let setup = Setup {
        spool,
        source,
        means: Arc::new(means(args, &host)),
        rules: Rules {
            wait: milliseconds(args.wait),
            remind: milliseconds(args.remind),
            settle: milliseconds(args.settle),
            ..Rules::default()
        },
        failover: milliseconds(args.failover),
        is_filter: args.verb.is_none(),
        test_every: Some(milliseconds(args.test_every)).filter(|every| *every > 0),
        fallback: routes(args),
    };
    match &args.verb {
        None => filter(args, setup, &mut output),
        Some(Verb::Flush { until_empty }) => {
            let patience = if *until_empty { FOR_EVER } else { args.patience };
            flush(setup, patience, &mut output)
        }
        Some(Verb::Queue { act }) => verbs::queue(setup, act.as_ref(), &mut output),
        Some(Verb::Silence { time, why, end, subject }) => {
            let silence = verbs::Silence { time: *time, why: why.clone(), end: end.clone() };
            verbs::silence(setup, silence, subject.clone(), &mut output)
        }
        Some(Verb::Targets) => verbs::targets(&setup, &mut output),
        Some(Verb::Test) => verbs::test(&setup, &mut output),
    }
}

/// Reads, accepts, passes on, and tells.
fn filter(args: &Args, mut setup: Setup, output: &mut Output) -> Result<Outcome, Complaint> {
    if setup.fallback.is_empty() {
        return Err(verbs::nobody());
    }
    let mut is_clean = true;
    let elsewhere = match usable(&setup.spool) {
        Ok(()) => None,
        Err(error) => {
            let folder = elsewhere().map_err(|_| {
                Complaint::cannot("use", &setup.spool.display().to_string(), &error)
            })?;
            let words = format!(
                "cannot use '{}': {error}: what comes is kept in '{}', which no reboot outlives",
                setup.spool.display(),
                folder.path().display()
            );
            complain("claw-notify", &words);
            is_clean = false;
            setup.spool = folder.path().to_owned();
            Some(folder)
        }
    };
    let taking = Taking {
        text: args.text.then(|| (args.subject.clone(), Severity::from(args.severity))),
        routes: setup.fallback.clone(),
        source: setup.source.clone(),
        format: output.format(),
        censor: Arc::new(Censor::new(state_folder(args), args.user.clone())),
    };
    let mut writer = Writer::new(&setup.spool, taking.routes.clone());
    let between = Arc::new(Between::default());
    let (sender, events) = channel();
    let told = Arc::clone(&between);
    let over = Arc::clone(&between);
    let spool = setup.spool.clone();
    let deliverer = deliverer::start(
        setup,
        (sender.clone(), events),
        args.patience,
        Box::new(move |record| told.tell(record)),
        move || over.is_over(),
    )?;
    accept::read(&between, &taking)?;
    is_clean &= accept::filter(&between, &taking, &mut writer, &sender, output)?;
    let ended = deliverer.join().unwrap_or_default();
    if let Some(folder) = elsewhere
        && ended.left + ended.dead > 0
    {
        let kept = folder.keep();
        complain("claw-notify", &format!("what is left is in '{}'", kept.display()));
    }
    say_what_is_left(&ended, &spool);
    Ok(outcome(&ended, is_clean))
}

/// Tells what is in the spool.
fn flush(setup: Setup, patience: Duration, output: &mut Output) -> Result<Outcome, Complaint> {
    if !setup.spool.is_dir() {
        return Ok(Outcome::Well);
    }
    let between = Arc::new(Between::default());
    let (sender, events) = channel();
    // This end is told as soon as there is anybody to hear it.
    let _ = sender.send(Event::End);
    let (told, over) = (Arc::clone(&between), Arc::clone(&between));
    let spool = setup.spool.clone();
    let deliverer = deliverer::start(
        setup,
        (sender, events),
        patience,
        Box::new(move |record| told.tell(record)),
        move || over.is_over(),
    )?;
    between.write(output)?;
    let ended = deliverer.join().unwrap_or_default();
    say_what_is_left(&ended, &spool);
    Ok(outcome(&ended, true))
}

fn say_what_is_left(ended: &Ended, spool: &Path) {
    if ended.left > 0 {
        let count = match ended.left {
            1 => "1 message waits".to_owned(),
            count => format!("{count} messages wait"),
        };
        let why = ended.why.as_ref().map_or("there was no time", |delay| &delay.words);
        let next = match &ended.why {
            Some(delay) if delay.is_refused => "'claw-notify queue retry' tries again at once",
            _ => "'claw-notify flush' goes on",
        };
        let spool = spool.display();
        complain("claw-notify", &format!("{count} in '{spool}' ({why}): {next}"));
    }
    if ended.lost > 0 {
        let records = if ended.lost == 1 { "1 record is" } else { "records are" };
        let count = if ended.lost == 1 { String::new() } else { format!("{} ", ended.lost) };
        let words = format!("{count}{records} lost, which '{}' had no room for", spool.display());
        complain("claw-notify", &words);
    }
}

fn outcome(ended: &Ended, is_clean: bool) -> Outcome {
    match ended {
        _ if !is_clean || ended.is_unable => Outcome::Unable,
        ended if ended.left + ended.dead > 0 => Outcome::NotWell,
        _ => Outcome::Well,
    }
}

fn usable(spool: &Path) -> std::io::Result<()> {
    claw_box::private_folder(spool)?;
    spool::lock(spool)?;
    spool::keep_reserve(spool);
    Ok(())
}

/// A folder in memory, for one that cannot be used.
fn elsewhere() -> std::io::Result<tempfile::TempDir> {
    let named = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"].into_iter().filter_map(std::env::var_os);
    let places = named.map(PathBuf::from).chain(["/dev/shm".into(), std::env::temp_dir()]);
    let mut last = std::io::Error::other("there is nowhere else");
    for place in places.filter(|place| place.is_absolute()) {
        match tempfile::Builder::new().prefix("claw-notify-").tempdir_in(place) {
            Ok(folder) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn spool_folder(args: &Args) -> PathBuf {
    args.spool.clone().unwrap_or_else(|| state_folder(args).join("notify"))
}

fn state_folder(args: &Args) -> PathBuf {
    args.state.clone().unwrap_or_else(claw_box::state_folder)
}

/// One route for those who are told in order of failover, and one for each who is told as well.
fn routes(args: &Args) -> Vec<Route> {
    let default = if args.text { Severity::Info } else { Severity::Warning };
    let min = args.min.map_or(default, Severity::from);
    // Whoever waits for a ping wants those that say that all is well.
    let min_of = |target: &str| match target.split(':').next() {
        Some("healthchecks") => Severity::Info,
        _ => min,
    };
    let named = |targets: &[String]| -> Vec<String> {
        targets.iter().filter(|target| !target.is_empty()).cloned().collect()
    };
    let mut chain = named(&args.to);
    let takes = chain.first().and_then(|first| channels::of(first).ok());
    let is_for_people =
        takes.is_some_and(|(channel, _)| channel.takes == channels::Takes::Incidents);
    if is_for_people && !chain.iter().chain(&args.also).any(|target| target == "wall") {
        // Whoever is logged in hears of it when nobody else does.
        chain.push("wall".to_owned());
    }
    let min_of_chain = chain.first().map_or(min, |first| min_of(first));
    let chain = (!chain.is_empty()).then(|| Route::new(chain, min_of_chain));
    let also = named(&args.also).into_iter().map(|target| {
        let min = min_of(&target);
        Route::new(vec![target], min)
    });
    chain.into_iter().chain(also).collect()
}

fn means(args: &Args, host: &str) -> Means {
    let place = |file: &Option<PathBuf>, credential, variable| Place {
        file: file.clone(),
        credential,
        variable,
    };
    let from = || format!("claw-notify@{host}");
    Means {
        http: Http::new(args.timeout),
        timeout: args.timeout,
        host: host.to_owned(),
        user: args.user.clone(),
        telegram_api: args.telegram_api.clone(),
        telegram_token: place(
            &args.telegram_token_file,
            "claw_telegram_token",
            "CLAW_TELEGRAM_TOKEN_FILE",
        ),
        ntfy_url: args.ntfy_url.clone(),
        ntfy_token: place(&args.ntfy_token_file, "claw_ntfy_token", "CLAW_NTFY_TOKEN_FILE"),
        webhook_secret: place(
            &args.webhook_secret_file,
            "claw_webhook_secret",
            "CLAW_WEBHOOK_SECRET_FILE",
        ),
        slack_url: place(&args.slack_url_file, "claw_slack_url", "CLAW_SLACK_URL_FILE"),
        discord_url: place(&args.discord_url_file, "claw_discord_url", "CLAW_DISCORD_URL_FILE"),
        wecom_url: place(&args.wecom_url_file, "claw_wecom_url", "CLAW_WECOM_URL_FILE"),
        healthchecks_url: place(
            &args.healthchecks_url_file,
            "claw_healthchecks_url",
            "CLAW_HEALTHCHECKS_URL_FILE",
        ),
        smtp: args.smtp_url.clone(),
        smtp_from: args.smtp_from.clone().unwrap_or_else(from),
        smtp_password: place(
            &args.smtp_password_file,
            "claw_smtp_password",
            "CLAW_SMTP_PASSWORD_FILE",
        ),
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
