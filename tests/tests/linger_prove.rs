//! The proofs of claw-linger-setup under a real systemd: they hold where user services live on, and
//! fail where these die.

use claw_tests::testbed::Host;

const SUITES: [&str; 2] = ["trixie", "bookworm"];

/// `EXIT status message` of the only record.
fn proof(host: &Host, user: &str, arguments: &[&str]) -> String {
    let run =
        host.tool(user, "claw-linger-setup", &[&["--user", "dev", "--prove"], arguments].concat());
    let record = run.record();
    assert_eq!((&record["event"], &record["subject"]), (&"proof".into(), &"proof:dev".into()));
    format!("{} {} {}", run.status, record["status"], record["message"]).replace('"', "")
}

fn root(host: &Host, lines: &str) -> String {
    host.shell_of("root", lines)
}

#[test]
fn s3_the_proof_of_a_log_out_fails_without_linger_and_holds_with_it() {
    for suite in SUITES {
        let Some(host) = Host::boot(suite, "lingerproof", &[]) else { return };
        // So that it does not take the test so long.
        root(
            &host,
            "mkdir -p /etc/systemd/logind.conf.d; cd /etc/systemd/logind.conf.d; \
             printf '[Login]\\nUserStopDelaySec=2\\n' >fast.conf; systemctl restart systemd-logind",
        );
        assert_eq!(
            proof(&host, "root", &[]),
            "1 fail a service of dev ended with the session that started it: dev does not linger"
        );
        root(&host, "loginctl enable-linger dev");
        assert_eq!(
            proof(&host, "root", &[]),
            "0 pass a service of dev outlived the session that started it: same process, same start"
        );
        let left = "runuser -u dev -- env XDG_RUNTIME_DIR=/run/user/1000 \
                    systemctl --user list-units --all --no-legend 'claw-linger-proof*'; \
                    pgrep -u dev -x sleep || true";
        assert_eq!(root(&host, left), "", "{suite}: it cleans up");
        assert!(proof(&host, "dev", &[]).starts_with("1 unknown a log-out cannot be tried"));
        root(&host, "systemd-run --quiet -p User=dev -p PAMName=login sleep 600");
        assert!(proof(&host, "root", &[]).contains("1 warn a service of dev outlived the session"));
        root(
            &host,
            "sed -i s/2/infinity/ /etc/systemd/logind.conf.d/fast.conf; \
                     systemctl restart systemd-logind",
        );
        assert!(proof(&host, "root", &[]).starts_with("1 unknown UserStopDelaySec=infinity"));
    }
}

#[test]
fn s3_the_proof_of_a_reboot_holds_only_where_nobody_had_to_log_in() {
    for suite in SUITES {
        let Some(host) = Host::boot(suite, "lingerboot", &[]) else { return };
        let ask = || proof(&host, "root", &["--after-reboot"]);
        let begun = "1 warn dev has a unit now that tells whether it started at boot";
        root(&host, "loginctl enable-linger dev");
        assert_eq!(ask(), begun);
        assert_eq!(ask(), "1 warn there was no reboot since the proof was begun");
        host.reboot();
        let holds = "0 pass a service of dev started at this boot with nobody logged in";
        assert_eq!(ask(), holds, "{suite}");
        assert_eq!(ask(), holds, "{suite}: as long as this boot lasts");
        let left =
            "find /home/dev -name '*proof*'; ls -A /var/lib/claw/linger-setup 2>/dev/null || true";
        // What it passed is remembered for as long as the boot lasts.
        assert_eq!(root(&host, left), "dev.json\n", "{suite}: it cleans up");
        let remove = || host.tool("root", "claw-linger-setup", &["--user", "dev", "--remove"]);
        assert_eq!(remove().status, 0);
        assert_eq!(ask(), begun);
        host.power_cut();
        assert_eq!(ask(), holds, "{suite}: power cut");
        host.reboot();
        assert_eq!(ask(), begun, "{suite}: another boot begins again");
        root(&host, "loginctl disable-linger dev");
        host.reboot();
        assert_eq!(ask(), "1 fail no service of dev started at this boot: dev does not linger");
        // A log-in starts it, be it ever so short, and proves nothing.
        root(&host, "systemd-run --quiet --wait -p User=dev -p PAMName=login true");
        let only = "1 fail a service of dev started in this boot only when dev logged in: dev did not linger";
        assert_eq!(ask(), only, "{suite}");
        assert_eq!(remove().status, 0);
        assert_eq!(root(&host, left), "", "{suite}: taken back");
    }
}
